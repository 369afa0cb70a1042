import { isDeepStrictEqual } from 'node:util';
import type { AccountRules, ClassRules, Grant, Right, Trouble, TrustEntry, TrustLevel } from '../api.ts';
import type { Clock } from '../clock.ts';
import { LanpostError } from '../errors.ts';
import { WriteBehind } from '../write-behind.ts';
import { isAccountName, RulesOfAccounts } from './account-rules.ts';
import { fingerprintOf } from './fingerprint.ts';
import { CLASS_OF, Classes, isClass, isClassRow } from './classes.ts';
import { checkedGrant } from './grants.ts';
import type { Registry } from './registry.ts';
import { NOTHING, reaches, sayAndStore, toRules, verdict } from './rules.ts';
import { insists, isEarned, isTenure, proven, type Tenure, type TenurePlace } from './tenure.ts';

export interface TrustInit {
  readonly registry: Registry;
  readonly clock: Clock;
  readonly trouble: (trouble: Trouble) => void;
  /** Keys remembered that the owner said nothing about. Default 256. */
  readonly seenKeys?: number;
}

/** A name is `ok` for a key, was last held by a key that was only seen, or by a paired one. */
export type NameCheck = 'ok' | 'renamed' | 'impostor';

interface Row {
  /** Newest first; every one was last held by this key. */
  names: string[];
  /** What it called itself last, also when that name is another's. */
  label: string;
  level: 'seen' | 'paired';
  grants: Grant[];
  denials: Grant[];
  lastSeen: number;
  tenure?: Tenure;
  /** And not shown since: what it is called is somebody else's to be. */
  revoked?: true;
}

/** What was kept of a key: of its lists, what can be in them. */
function toRow(kept: unknown): Row | undefined {
  if (typeof kept !== 'object' || kept === null) return undefined;
  const { names, label, level, grants, denials = [], lastSeen, tenure, revoked }: { readonly [K in keyof Row]?: unknown } = kept;
  const rules = toRules({ grants, denials });
  if (!rules || !Array.isArray(names) || typeof lastSeen !== 'number') return undefined;
  return {
    names: names.filter((name) => typeof name === 'string'), label: typeof label === 'string' ? label : '', level: level === 'paired' ? level : 'seen',
    ...rules, lastSeen, ...(isTenure(tenure) ? { tenure } : {}), ...(revoked === true ? { revoked } : {}),
  };
}

/** Whether a key, or a class, may be kept so; what is imported is told apart by it. */
export function isTrustRow(key: string, value: unknown): boolean {
  if (isClassRow(key, value)) return true;
  return /^trust\/[0-9a-f]{64}$/.test(key) && typeof value === 'object' && isDeepStrictEqual(toRow(value), { denials: [], ...value });
}

function standing({ tenure }: Row, isSpeaking: boolean): number {
  if (tenure && isEarned(tenure)) return 2;
  return isSpeaking ? 1 : 0;
}

/** What it goes by. */
function nameOf({ names, label }: Row): string {
  return names[0] ?? label;
}

const PREFIX = 'trust/';
const SEEN_KEYS = 256;
const NAMES_PER_KEY = 8;
/** How stale the stored time of a known key may be. */
const SEEN_PRECISION = 3_600_000;

/** The one answer to "may this peer do that?". Everything here belongs to keys; names are labels. */
export class Trust {
  readonly #init: TrustInit;
  readonly #limit: number;
  /** In order of last sight, oldest first. */
  readonly #rows = new Map<string, Row>();
  readonly #holders = new Map<string, string>();
  /** Rows about seen keys are written together: strangers must not cost an fsync each. */
  readonly #behind: WriteBehind;
  /** Keys that somebody is vouching for: how many at once, and what the key is when none of it can be stored. */
  readonly #vouching = new Map<string, { level: Row['level']; count: number }>();
  readonly #classes: Classes;
  readonly #accounts: RulesOfAccounts;
  /** The keys that open streams have proven. */
  #speaking: () => Iterable<string> = () => [];
  #generation = 0;

  constructor(init: TrustInit) {
    this.#init = init;
    this.#limit = init.seenKeys ?? SEEN_KEYS;
    this.#behind = new WriteBehind({
      clock: init.clock,
      failed: (error) => init.trouble({ kind: 'trust.write', message: `What is known of keys could not be stored: ${error instanceof Error ? error.message : String(error)}` }),
    });
    const store = (key: string, row: () => unknown): Promise<void> => this.#behind.now(key, () => init.registry.set(key, row()));
    this.#classes = new Classes(init.registry, store);
    this.#accounts = new RulesOfAccounts(init.registry, store);
    const stored: [string, Row][] = [];
    for (const [key, value] of init.registry.entries(PREFIX)) {
      const row = toRow(value);
      if (row) stored.push([key.slice(PREFIX.length), row]);
    }
    stored.sort(([, a], [, b]) => a.lastSeen - b.lastSeen);
    for (const [fingerprint, row] of stored) this.#rows.set(fingerprint, row);
    this.#recall();
  }

  /** There are streams from now on: whom they are with is not forgotten for others. */
  use(speaking: () => Iterable<string>): void {
    this.#speaking = speaking;
  }

  /** A stream has proven that whoever is called `name` holds this key; `box`: and is announced as a box, there. Grants nothing. */
  seen(spki: Uint8Array, name: string, box?: TenurePlace): TrustEntry {
    const fingerprint = fingerprintOf(spki);
    const check = this.impostor(name, fingerprint);
    const known = this.#rows.get(fingerprint);
    const now = this.#init.clock.wall();
    const row = known ?? { names: [], label: name, level: 'seen', grants: [], denials: [], lastSeen: now };
    this.#rows.delete(fingerprint);
    this.#rows.set(fingerprint, row);
    if (!known || row.revoked || row.label !== name || Math.abs(now - row.lastSeen) > SEEN_PRECISION) this.#later(fingerprint);
    row.lastSeen = now;
    row.label = name;
    delete row.revoked;
    // A paired key keeps its names; only the owner takes them away.
    if (check !== 'impostor') this.#hold(name, fingerprint, row);
    if (check !== 'impostor' && box) {
      const before = row.tenure;
      row.tenure = proven(before, { name, ...box }, now);
      if (before?.name !== name || before.address !== box.address || before.port !== box.port) this.#later(fingerprint);
    }
    if (!known) this.#evict();
    return this.#entry(fingerprint, row);
  }

  /** A key that has been forgotten for others is a key all the same, and its stream may be open yet. */
  level(fingerprint: string | undefined): TrustLevel {
    return fingerprint === undefined ? 'none' : this.#rows.get(fingerprint)?.level ?? 'seen';
  }

  /** The key that held the name last. */
  holder(name: string): string | undefined {
    return this.#holders.get(name);
  }

  /** Every key that called itself so last, newest first; without those that were revoked and not shown since. */
  namesakes(name: string): string[] {
    return [...this.#rows].filter(([, { label, revoked }]) => label === name && !revoked).map(([fingerprint]) => fingerprint).toReversed();
  }

  /** Whether whoever has the name, announced at these addresses, is spoken with only when it shows a key. */
  insists(name: string, addresses: readonly string[]): boolean {
    const holder = this.#holders.get(name);
    const row = holder === undefined ? undefined : this.#rows.get(holder);
    return row !== undefined && (row.level === 'paired' || insists(row.tenure, name, addresses, this.#init.clock.wall()));
  }

  /** Somebody without a key has the name now. True: a key that was only seen had it. */
  passedOn(name: string): boolean {
    const holder = this.#holders.get(name);
    if (holder === undefined || this.level(holder) === 'paired') return false;
    this.#release(name, holder);
    this.#holders.delete(name);
    return true;
  }

  /** A name that the key held last itself, if there is one. */
  nameOf(fingerprint: string): string | undefined {
    return this.#rows.get(fingerprint)?.names[0];
  }

  /** Where the key was shown last under a name that is announced as a box's. */
  placeOf(fingerprint: string): TenurePlace | undefined {
    return this.#rows.get(fingerprint)?.tenure;
  }

  impostor(name: string, fingerprint: string): NameCheck {
    const holder = this.#holders.get(name);
    if (holder === undefined || holder === fingerprint) return 'ok';
    return this.level(holder) === 'paired' ? 'impostor' : 'renamed';
  }

  /** By name, `link:NAME`, or a fingerprint of at least 16 digits that fits one key only. */
  find(peer: string): TrustEntry | undefined {
    const typed = peer.startsWith('link:');
    // The key first: names are free, also one that reads like the beginning of somebody's fingerprint.
    const fingerprint = (typed ? undefined : this.#byPrefix(peer)) ?? this.#holders.get(typed ? peer.slice(5) : peer);
    const row = fingerprint === undefined ? undefined : this.#rows.get(fingerprint);
    return row && fingerprint !== undefined ? this.#entry(fingerprint, row) : undefined;
  }

  /** The owner vouches for the key: from now on it is paired, and never forgotten. It gets no rights by that. Durable when resolved. */
  async pair(fingerprint: string): Promise<TrustEntry> {
    return this.#change(() => this.#vouch(fingerprint, this.#row(fingerprint)));
  }

  /** The same, with a right. Of a class: what holds for those of whom nothing else is said. Rejected: neither holds. */
  async allow(who: string, right: Right, filter?: string): Promise<TrustEntry | ClassRules | AccountRules> {
    const grant = checkedGrant(right, filter);
    return this.#change<TrustEntry | ClassRules | AccountRules>(() => {
      if (isClass(who)) return this.#classes.say(who, 'grants', grant);
      if (isAccountName(who)) return this.#accounts.say(who, 'grants', grant);
      const row = this.#row(who);
      return this.#vouch(who, row, store => sayAndStore(row, 'grants', grant, () => this.#stored(who), store));
    });
  }

  /** Vouches for nobody. A key of which something is denied is not forgotten. Rejected: it holds all the same, and storing it is tried until it is done. */
  async deny(who: string, right: Right, filter?: string): Promise<TrustEntry | ClassRules | AccountRules> {
    const grant = checkedGrant(right, filter);
    return this.#change<TrustEntry | ClassRules | AccountRules>(async () => {
      if (isClass(who)) return this.#classes.say(who, 'denials', grant);
      if (isAccountName(who)) return this.#accounts.say(who, 'denials', grant);
      const row = this.#row(who);
      await sayAndStore(row, 'denials', grant, () => this.#stored(who), () => {
        const name = nameOf(row);
        if (name !== '' && !this.#holders.has(name)) this.#hold(name, who, row);
        return this.#keep(who, row);
      });
      return this.#entry(who, row);
    });
  }

  classes(): ClassRules[] {
    return this.#classes.list();
  }

  accounts(): AccountRules[] {
    return this.#accounts.list();
  }

  /** Of an account elsewhere, by way of a home. */
  accountMay(name: string, right: Right, asked: string): boolean {
    return this.#accounts.may(name, right, asked);
  }

  #row(fingerprint: string): Row {
    if (!/^[0-9a-f]{64}$/.test(fingerprint)) throw new TypeError('fingerprint must be 64 hex digits');
    return this.#rows.get(fingerprint) ?? { names: [], label: '', level: 'seen', grants: [], denials: [], lastSeen: this.#init.clock.wall() };
  }

  /** In one go with what it stands for, and with its end where that could not be stored. */
  async #change<T>(change: () => Promise<T>): Promise<T> {
    this.#generation += 1;
    try {
      return await change();
    } catch (error) {
      this.#generation += 1;
      throw error;
    }
  }

  /** A key that is vouched for holds the name it goes by, also when that was taken from it before. */
  async #vouch(fingerprint: string, row: Row, say: (store: () => Promise<void>) => Promise<void> = store => store()): Promise<TrustEntry> {
    const name = nameOf(row);
    if (this.impostor(name, fingerprint) === 'impostor') throw new LanpostError('conflict', `${name} is the name of another key that is paired; revoke that one first.`);
    const vouching = this.#vouching.get(fingerprint) ?? { level: row.level, count: 0 };
    this.#vouching.set(fingerprint, vouching);
    vouching.count += 1;
    try {
      await say(() => {
        row.level = 'paired';
        delete row.revoked;
        if (name !== '') this.#hold(name, fingerprint, row);
        return this.#keep(fingerprint, row);
      });
      vouching.level = 'paired';
    } catch (error) {
      // Of several at once one that is stored is enough; and what was revoked meanwhile stays so.
      if (vouching.count === 1 && this.#vouching.get(fingerprint) === vouching) row.level = vouching.level;
      throw error;
    } finally {
      vouching.count -= 1;
      if (vouching.count === 0 && this.#vouching.get(fingerprint) === vouching) this.#vouching.delete(fingerprint);
    }
    return this.#entry(fingerprint, row);
  }

  /** With those whose names it took. What could not be stored is tried again by itself. */
  async #keep(fingerprint: string, row: Row): Promise<void> {
    this.#rows.set(fingerprint, row);
    await this.#behind.now(fingerprint, () => this.#write(fingerprint));
  }

  #stored(fingerprint: string): Row | undefined {
    return toRow(this.#init.registry.get(PREFIX + fingerprint));
  }

  /**
   * Takes back grants, denials, pairing, and the claim to its names; the key is one seen like any other. A class is as by default.
   * At once; durable when resolved. Rejected: it holds all the same, and storing it is tried until it is done.
   */
  async revoke(fingerprint: string): Promise<void> {
    this.#generation += 1;
    if (isClass(fingerprint)) return this.#classes.forget(fingerprint);
    if (isAccountName(fingerprint)) return this.#accounts.forget(fingerprint);
    const row = this.#rows.get(fingerprint);
    if (!row) throw new LanpostError('not-found', 'No such key is known; see `trust list`.');
    this.#vouching.delete(fingerprint);
    const { names } = row;
    for (const name of names) this.#holders.delete(name);
    Object.assign(row, { names: [], grants: [], denials: [], level: 'seen' } satisfies Partial<Row>);
    delete row.tenure;
    row.revoked = true;
    try {
      await this.#keep(fingerprint, row);
    } catch (error) {
      // To be said again by the name it was said by.
      for (const name of names.toReversed()) if (!this.#holders.has(name)) this.#hold(name, fingerprint, row);
      throw error;
    }
    this.#evict();
  }

  /**
   * What is said of the key, else of its class, else what holds by default. A granted filter must cover all of what
   * is asked. `open`: the topic's own configuration lets everybody with a key.
   */
  may(fingerprint: string | undefined, right: Right, topicOrFilter?: string, open = false): boolean {
    const row = fingerprint === undefined ? undefined : this.#rows.get(fingerprint);
    return (row && verdict(row, right, topicOrFilter)) ?? this.#classes.may(this.level(fingerprint), right, topicOrFilter, open);
  }

  /** Whether any of what the filter matches is granted, to the key or to its class. */
  touches(fingerprint: string | undefined, right: Right, filter: string): boolean {
    const row = fingerprint === undefined ? undefined : this.#rows.get(fingerprint);
    const rules = this.#classes.get(CLASS_OF[this.level(fingerprint)]);
    return reaches(row ?? NOTHING, [], right, filter) || reaches(rules, row?.denials ?? [], right, filter);
  }

  /** Changes with everything that `may` goes by. */
  get generation(): number {
    return this.#generation;
  }

  /** Whether the owner has opened any topic to peers without a key. */
  get plainMayMore(): boolean {
    return this.#classes.grants('none', 'read', 'write');
  }

  /** Or any command. */
  get plainMayCommand(): boolean {
    return this.#classes.grants('none', 'command');
  }

  list(): TrustEntry[] {
    return [...this.#rows].map(([fingerprint, row]) => this.#entry(fingerprint, row)).toReversed();
  }

  /** Writes what is still only in memory. */
  async close(): Promise<void> {
    await this.#behind.close();
  }

  /** Who holds which name, of what is stored. A name that two rows have, when the last of them was not written, is the paired key's, or who was seen last. */
  #recall(): void {
    const rows = [...this.#rows].toReversed();
    for (const level of ['paired', 'seen'] as const) {
      for (const [fingerprint, row] of rows) {
        if (row.level !== level) continue;
        row.names = row.names.filter(name => !this.#holders.has(name));
        for (const name of row.names) this.#holders.set(name, fingerprint);
      }
    }
  }

  #hold(name: string, fingerprint: string, row: Row): void {
    const before = this.#holders.get(name);
    if (before !== undefined && before !== fingerprint) this.#release(name, before);
    if (row.names[0] === name) return;
    row.names = [name, ...row.names.filter(other => other !== name)];
    for (const dropped of row.names.splice(NAMES_PER_KEY)) this.#holders.delete(dropped);
    this.#holders.set(name, fingerprint);
    this.#later(fingerprint);
  }

  #release(name: string, fingerprint: string): void {
    const row = this.#rows.get(fingerprint);
    if (!row) return;
    row.names = row.names.filter(other => other !== name);
    if (row.tenure?.name === name) delete row.tenure;
    this.#later(fingerprint);
  }

  #evict(): void {
    const seen = [...this.#rows].filter(([, row]) => row.level === 'seen' && row.denials.length === 0);
    if (seen.length <= this.#limit) return;
    // Keys are free: those that were shown for a day, and those that are spoken with, are not forgotten for as many that were shown once.
    const speaking = new Set(this.#speaking());
    const ranked = seen.map(([fingerprint, row]) => ({ fingerprint, row, rank: standing(row, speaking.has(fingerprint)) }));
    for (const { fingerprint, row } of ranked.toSorted((a, b) => a.rank - b.rank).slice(0, seen.length - this.#limit)) {
      for (const name of row.names) this.#holders.delete(name);
      this.#rows.delete(fingerprint);
      this.#later(fingerprint);
    }
  }

  #byPrefix(prefix: string): string | undefined {
    if (!/^[0-9a-f]{16,64}$/i.test(prefix)) return undefined;
    const found = [...this.#rows.keys()].filter(fingerprint => fingerprint.startsWith(prefix.toLowerCase()));
    return found.length === 1 ? found[0] : undefined;
  }

  #entry(fingerprint: string, row: Row): TrustEntry {
    return { name: nameOf(row), fingerprint, level: row.level, grants: [...row.grants], denials: [...row.denials], lastSeen: row.lastSeen };
  }

  #later(fingerprint: string): void {
    this.#behind.later(fingerprint, () => this.#write(fingerprint));
  }

  async #write(fingerprint: string): Promise<void> {
    const { registry } = this.#init;
    const row = this.#rows.get(fingerprint);
    // Keys that were made and forgotten in between leave nothing to write.
    if (!row && registry.get(PREFIX + fingerprint) === undefined) return;
    await registry.set(PREFIX + fingerprint, row && { ...row, names: [...row.names], grants: [...row.grants], denials: [...row.denials] });
  }
}
