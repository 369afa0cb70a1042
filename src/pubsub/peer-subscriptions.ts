import { randomBytes } from 'node:crypto';
import type { Affiliation } from '../api.ts';
import type { Clock, Timer } from '../clock.ts';
import { LanpostError } from '../errors.ts';
import type { Log } from '../log/log.ts';
import { Refusal } from './refusal.ts';
import { changedOptions, defaultOptions, isSameOptions, type SubscriptionOptions } from './subscription-options.ts';
import { filterOf, isSubtree } from './subtree.ts';

export type SubscriptionState = 'pending' | 'subscribed' | 'none';

/** What a client that is no box has subscribed to here (XEP-0060 §4.2). A box has a cursor that it names itself. */
export interface PeerSubscription {
  /** SubID: ours, so that no two are the same. */
  readonly id: string;
  /** The key it belongs to. */
  readonly fingerprint: string;
  /** What the subscriber calls itself; a label. */
  readonly name: string;
  /** A topic, or a subtree. */
  readonly node: string;
  /** `none` stays until the subscriber has been told. */
  readonly state: SubscriptionState;
  readonly options: SubscriptionOptions;
  /** Position in the log: what was there before is not for it. */
  readonly since: number;
  /** Whether the subscriber has to be told its state. */
  readonly untold?: true;
  /** Why nothing is delivered for now: its client sent something back. */
  readonly suspended?: string;
}

/** Who delivers. */
export interface SubscriptionWatcher {
  /** Something changed of what that key reads by that filter. Resolves when nothing goes out any more that should not. */
  changed(fingerprint: string, filter: string): Promise<void>;
  /** The subscriber has to hear of its subscription's state, when it can. */
  untold(subscription: PeerSubscription): void;
}

export interface PeerSubscriptionsParts {
  readonly log: Pick<Log, 'registry' | 'head' | 'cursors' | 'hasCursor' | 'dropCursor'>;
  readonly clock: Clock;
  /** Of all keys together. */
  readonly limit: number;
  /** Something went wrong with nobody there to be told. */
  readonly trouble: (message: string) => void;
}

interface Subscriber { readonly fingerprint: string; readonly name: string }

const PREFIX = 'subscriptions/';
const ADMITTED: readonly Affiliation[] = ['owner', 'publisher', 'member'];
/** Of one key, with those that a box has. */
export const SUBSCRIPTIONS_OF_PEER = 256;
/** Timers take no more. */
const LONGEST_WAIT = 2 ** 31 - 1;
const NOBODY: SubscriptionWatcher = { changed: () => Promise.resolve(), untold: () => undefined };

/** Everything that is said of subscriptions, kept on disk: each resolves when it is there. */
export class PeerSubscriptions {
  readonly #parts: PeerSubscriptionsParts;
  readonly #rows = new Map<string, PeerSubscription>();
  /** The same, by key: each record asks for those of its reader. */
  readonly #byKey = new Map<string, Map<string, PeerSubscription>>();
  #watcher: SubscriptionWatcher = NOBODY;
  #timer: Timer | undefined;

  constructor(parts: PeerSubscriptionsParts) {
    this.#parts = parts;
    for (const [, row] of parts.log.registry.entries(PREFIX)) if (isRow(row)) this.#put(row);
    this.#arm();
  }

  use(watcher: SubscriptionWatcher): void {
    this.#watcher = watcher;
  }

  /** Those that are one, or are to become one. */
  *of(fingerprint: string, node?: string): Iterable<PeerSubscription> {
    for (const row of this.#byKey.get(fingerprint)?.values() ?? []) {
      if (row.state !== 'none' && (node === undefined || row.node === node)) yield row;
    }
  }

  /** Everybody's to a topic or subtree. */
  *at(node: string): Iterable<PeerSubscription> {
    for (const row of this.#rows.values()) if (row.node === node && row.state !== 'none') yield row;
  }

  /** Whether that key has one to the topic itself, let by its owner where that needs to be. */
  isSubscribed(fingerprint: string, topic: string): boolean {
    for (const row of this.of(fingerprint, topic)) if (row.state === 'subscribed') return true;
    return false;
  }

  /** Those that wait for an owner's word. */
  *pending(): Iterable<PeerSubscription> {
    for (const row of this.#rows.values()) if (row.state === 'pending') yield row;
  }

  /** §8.7.4: what somebody becomes may be an answer to what it has asked for; and an outcast has nothing. */
  async affiliated(topic: string, fingerprint: string, affiliation: Affiliation): Promise<void> {
    for (const row of this.of(fingerprint, topic)) {
      if (affiliation === 'outcast') await this.decide(row, 'none');
      else if (row.state === 'pending' && ADMITTED.includes(affiliation)) await this.decide(row, 'subscribed');
    }
  }

  /** §6.2.3, §6.3.4: the one that is meant; refused by the names there are for that. */
  get(fingerprint: string, node: string, id?: string): PeerSubscription {
    const found = [...this.of(fingerprint, node)];
    const [first] = found;
    if (!first) throw new Refusal('not-subscribed', `there is no subscription to ${node || 'everything'}`);
    if (id === undefined && found.length > 1) throw new Refusal('subid-required', `there are ${found.length} subscriptions to ${node || 'everything'}`);
    const meant = id === undefined ? first : found.find((one) => one.id === id);
    if (!meant) throw new Refusal('invalid-subid', `there is no subscription "${id}" to ${node || 'everything'}`);
    return meant;
  }

  /**
   * §6.1: without options, or with those that one has, it is that one; with others it is another beside it (§6.1.6).
   * `others`: subscriptions that the key has and this knows nothing of.
   */
  async subscribe(subscriber: Subscriber, node: string, change: Partial<SubscriptionOptions> | undefined, state: 'pending' | 'subscribed', others: number): Promise<PeerSubscription> {
    const { fingerprint } = subscriber;
    const options = this.#checked(defaultOptions(node), change ?? {});
    const have = [...this.of(fingerprint, node)];
    const same = change === undefined ? have[0] : have.find((one) => isSameOptions(one.options, options));
    if (same) {
      if (same.state === 'pending' && state === 'pending') throw new Refusal('pending-subscription', `the owner has not said yet whether ${node} may be read`);
      return this.#again(same, state);
    }
    // XEP-0248 §4.1.3: the deeper one holds what the other would.
    if (isSubtree(node) && have.some((one) => one.options.kind === options.kind && one.options.depth !== options.depth)) {
      throw new LanpostError('conflict', `there is a subscription of that kind to ${node || 'everything'}, of another depth`);
    }
    if ([...this.of(fingerprint)].length + others >= SUBSCRIPTIONS_OF_PEER) throw new Refusal('too-many-subscriptions', `a peer may have ${SUBSCRIPTIONS_OF_PEER} subscriptions here`);
    if (this.#rows.size >= this.#parts.limit) throw new LanpostError('busy', `this box keeps ${this.#parts.limit} subscriptions, its limit; drop some`);
    const made = { ...subscriber, id: randomBytes(10).toString('hex'), node, state, options, since: this.#parts.log.head };
    await this.#keep(made);
    await this.#changed(made);
    return made;
  }

  /** It asks for what it has: it is spoken with again, should something have come back. */
  async #again(row: PeerSubscription, state: 'pending' | 'subscribed'): Promise<PeerSubscription> {
    if (row.state === state && row.suspended === undefined) return row;
    const { suspended: _, ...rest } = row;
    return this.#replace({ ...rest, state: row.state === 'subscribed' ? row.state : state });
  }

  async configure(row: PeerSubscription, change: Partial<SubscriptionOptions>): Promise<PeerSubscription> {
    const { suspended: _, ...rest } = row;
    return this.#replace({ ...rest, options: this.#checked(row.options, change) });
  }

  /** §8.6, §8.8.2: an owner's word. The subscriber is told (§12.12). */
  async decide(row: PeerSubscription, state: SubscriptionState): Promise<void> {
    if (state === row.state) return;
    if (state === 'none') await this.end(row, true);
    else this.#watcher.untold(await this.#replace({ ...row, state, untold: true, since: this.#parts.log.head }));
  }

  /** `tell`: it is not the subscriber's own wish. */
  async end(row: PeerSubscription, tell: boolean): Promise<void> {
    if (!this.#rows.has(row.id)) return;
    if (tell) await this.#keep({ ...row, state: 'none', untold: true });
    else await this.#forget(row);
    const [oldest, ...others] = [...this.untold(row.fingerprint)].filter(({ state }) => state === 'none');
    if (oldest && others.length >= SUBSCRIPTIONS_OF_PEER) await this.#forget(oldest);
    await this.#changed(row);
    if (tell) this.#watcher.untold({ ...row, state: 'none' });
  }

  /** What its client sent back: nothing more goes there until it asks again; its place is kept (§12.4). */
  async suspend(row: PeerSubscription, why: string): Promise<void> {
    if (this.#rows.has(row.id)) await this.#replace({ ...row, suspended: why });
  }

  /** States that a subscriber has to be told. */
  *untold(fingerprint: string): Iterable<PeerSubscription> {
    for (const row of this.#byKey.get(fingerprint)?.values() ?? []) if (row.untold) yield row;
  }

  async told(row: PeerSubscription): Promise<void> {
    const now = this.#rows.get(row.id);
    if (!now?.untold || now.state !== row.state) return;
    const { untold: _, ...rest } = now;
    if (now.state === 'none') await this.#forget(now);
    else await this.#keep(rest);
  }

  /** The subscriber has left. */
  async left(fingerprint: string): Promise<void> {
    const temporary = [...this.of(fingerprint)].filter(({ options }) => options.expire === 'presence');
    for (const row of temporary) await this.end(row, false);
  }

  close(): void {
    this.#timer?.stop();
    this.#watcher = NOBODY;
  }

  #checked(before: SubscriptionOptions, change: Partial<SubscriptionOptions>): SubscriptionOptions {
    const { clock } = this.#parts;
    if (typeof change.expire === 'number' && clock.isSet() && change.expire <= clock.wall()) throw new Refusal('invalid-options', 'it would be over already');
    return changedOptions(before, change);
  }

  async #replace(row: PeerSubscription): Promise<PeerSubscription> {
    const before = this.#rows.get(row.id);
    await this.#keep(row);
    if (before && readsBy(before) !== readsBy(row)) await this.#changed(before);
    await this.#changed(row);
    return row;
  }

  async #keep(row: PeerSubscription): Promise<void> {
    await this.#parts.log.registry.set(keyOf(row), row);
    this.#put(row);
    this.#arm();
  }

  async #forget(row: PeerSubscription): Promise<void> {
    await this.#parts.log.registry.set(keyOf(row), undefined);
    this.#rows.delete(row.id);
    const own = this.#byKey.get(row.fingerprint);
    own?.delete(row.id);
    if (own?.size === 0) this.#byKey.delete(row.fingerprint);
  }

  #put(row: PeerSubscription): void {
    this.#rows.set(row.id, row);
    const own = this.#byKey.get(row.fingerprint) ?? new Map<string, PeerSubscription>();
    this.#byKey.set(row.fingerprint, own.set(row.id, row));
  }

  /** What is read by nobody any more keeps nothing. */
  async #changed({ fingerprint, ...row }: PeerSubscription): Promise<void> {
    const filter = readsBy(row);
    await this.#watcher.changed(fingerprint, filter);
    const cursor = cursorOf(fingerprint, filter);
    const read = [...this.of(fingerprint)].some((one) => readsBy(one) === filter);
    if (!read && this.#parts.log.hasCursor(cursor)) await this.#parts.log.dropCursor(cursor);
  }

  /** §12.18: leases end by the wall clock, once that can be believed. */
  #arm(): void {
    this.#timer?.stop();
    this.#timer = undefined;
    const { clock } = this.#parts;
    const due = [...this.#rows.values()].flatMap(({ state, options }) => (state !== 'none' && typeof options.expire === 'number' ? [options.expire] : []));
    if (due.length === 0) return;
    const wait = clock.isSet() ? Math.max(0, Math.min(...due) - clock.wall()) : 60_000;
    this.#timer = clock.after(Math.min(wait, LONGEST_WAIT), () => {
      this.#expire().catch((error: unknown) => this.#parts.trouble(error instanceof Error ? error.message : String(error)));
    });
  }

  async #expire(): Promise<void> {
    const { clock } = this.#parts;
    const now = clock.isSet() ? clock.wall() : 0;
    const over = [...this.#rows.values()].filter(({ state, options }) => state !== 'none' && typeof options.expire === 'number' && options.expire <= now);
    try {
      for (const row of over) await this.end(row, true);
    } finally {
      this.#arm();
    }
  }
}

/** Of all subscriptions of a key that read the same: each thing that happens is told it once (§6.1.6). */
export function cursorOf(fingerprint: string, filter: string): string {
  return `sub:${fingerprint}:${filter}`;
}

export function readsBy({ node, options }: Pick<PeerSubscription, 'node' | 'options'>): string {
  return filterOf(node, options.depth);
}

function keyOf({ fingerprint, id }: PeerSubscription): string {
  return `${PREFIX}${fingerprint}/${id}`;
}

function isRow(row: unknown): row is PeerSubscription {
  return typeof row === 'object' && row !== null && 'id' in row && 'fingerprint' in row && 'node' in row && 'state' in row && 'options' in row && 'since' in row;
}
