import { randomBytes } from 'node:crypto';
import type { Affiliation } from '../api.ts';
import type { Clock, Timer } from '../clock.ts';
import { LanpostError } from '../errors.ts';
import type { Log } from '../log/log.ts';
import { WriteBehind } from '../write-behind.ts';
import { Refusal } from './refusal.ts';
import { changedOptions, defaultOptions, isSameOptions, type SubscriptionOptions } from './subscription-options.ts';
import { dueOf, type PeerSubscription, type SubscriptionState, SubscriptionTable, type WaitingReader } from './subscription-table.ts';
import { filterOf, isSubtree } from './subtree.ts';

export type { PeerSubscription, SubscriptionState, WaitingReader } from './subscription-table.ts';

/** Who delivers. */
export interface SubscriptionWatcher {
  /** Something changed of what that key reads by that filter. Resolves when nothing goes out any more that should not. */
  changed(fingerprint: string, filter: string): Promise<void>;
  /** The subscriber has to hear of its subscription's state, when it can. */
  untold(subscription: PeerSubscription): void;
}

export interface PeerSubscriptionsParts {
  readonly log: Pick<Log, 'registry' | 'head' | 'cursors' | 'hasCursor' | 'dropCursor' | 'topic' | 'trustedNow'>;
  readonly clock: Clock;
  /** Of all keys together. */
  readonly limit: number;
  /** Whether the owner of this box has vouched for that key. */
  readonly isKnown: (fingerprint: string) => boolean;
  /** Whom the owners of a topic let read it is another from now on. */
  readonly rightsChanged: (topic: string) => void;
  /** An owner has let the readers that waited: resolves when their places are kept. */
  readonly admitted?: (subscription: PeerSubscription, waiting: readonly WaitingReader[]) => Promise<void>;
  /** Somebody has come to be subscribed, or is so no more. */
  readonly stateChanged?: (subscription: PeerSubscription) => void;
  /** Something went wrong with nobody there to be told. */
  readonly trouble: (message: string) => void;
}

interface Subscriber { readonly fingerprint: string; readonly name: string; readonly consent?: true }

/** An owner's, that one may read. */
interface Word { readonly id: string; readonly fingerprint: string; takenBack: boolean }

const PREFIX = 'subscriptions/';
const ADMITTED: readonly Affiliation[] = ['owner', 'publisher', 'member'];
/** Of one key, with those that a box has. */
export const SUBSCRIPTIONS_OF_PEER = 256;
/** Of all that there may be, what keys may have that nobody vouched for, as a client and as a box: keys are free. */
export const STRANGERS_SHARE: number = 1 / 4;
/** That wait for the owners of one topic. */
const PENDING = 1000;
/** Milliseconds after which leases that could not be ended are tried again: a disk that takes nothing says so at once. */
const END_AGAIN = 10_000;
/** Timers take no more. */
const LONGEST_WAIT = 2 ** 31 - 1;
const NOBODY: SubscriptionWatcher = { changed: () => Promise.resolve(), untold: () => undefined };

/** Everything that is said of subscriptions, kept on disk: each resolves when it is there. */
export class PeerSubscriptions {
  readonly #parts: PeerSubscriptionsParts;
  readonly #rows = new SubscriptionTable();
  /** On their way to the disk: they count, and whoever asks for the same gets the same. */
  readonly #making = new Map<PeerSubscription, Promise<void>>();
  /** One change of a row after the other, each of what it has become. */
  readonly #turns = new Map<string, Promise<unknown>>();
  /** On their way to the disk. */
  readonly #words = new Set<Word>();
  /** Those that were taken back, and still are on disk. */
  readonly #behind: WriteBehind;
  #watcher: SubscriptionWatcher = NOBODY;
  #timer: Timer | undefined;
  #due = Infinity;
  #closed = false;

  constructor(parts: PeerSubscriptionsParts) {
    this.#parts = parts;
    this.#behind = new WriteBehind({ clock: parts.clock, failed: (error) => parts.trouble(`Subscriptions that were taken back are still on disk: ${error instanceof Error ? error.message : String(error)}`) });
    for (const [key, row] of parts.log.registry.entries(PREFIX)) if (isRow(row)) this.#put(this.#loaded(key, row));
  }

  /** The topic that an owner let it read went, and the power, before that was said here. */
  #loaded(key: string, row: PeerSubscription): PeerSubscription {
    if (!row.approved || this.#parts.log.topic(row.node)?.deleted === false) return row;
    const { approved: _, ...rest } = row;
    // When this fails, so does all writing, also that of a topic of the same name.
    this.#parts.log.registry.set(key, rest).catch(() => undefined);
    return rest;
  }

  use(watcher: SubscriptionWatcher): void {
    this.#watcher = watcher;
  }

  /** Another one whenever any of them has changed. */
  get version(): number {
    return this.#rows.version;
  }

  /** Those that are one, or are to become one. */
  *of(fingerprint: string, node?: string): Iterable<PeerSubscription> {
    for (const row of this.#rows.ofKey(fingerprint)) {
      if (row.state !== 'none' && (node === undefined || row.node === node)) yield row;
    }
  }

  /** Everybody's to a topic or subtree. */
  at(node: string): Iterable<PeerSubscription> {
    return this.#rows.at(node);
  }

  /** The topics and subtrees that there are any to. */
  nodes(): Iterable<string> {
    return this.#rows.nodes();
  }

  /** How many those are. */
  count(node: string): number {
    return this.#rows.count(node);
  }

  /** Whether that key has one to the topic itself. */
  isSubscribed(fingerprint: string, topic: string): boolean {
    for (const row of this.of(fingerprint, topic)) if (row.state === 'subscribed') return true;
    return false;
  }

  /** Whether an owner of the topic has let that key have one. */
  isApproved(fingerprint: string, topic: string): boolean {
    for (const row of this.of(fingerprint, topic)) if (row.state === 'subscribed' && row.approved) return true;
    return false;
  }

  /** What that key has asked owners for its readers, or has been let. */
  consent(fingerprint: string, topic: string): PeerSubscription | undefined {
    for (const row of this.of(fingerprint, topic)) if (row.consent) return row;
    return undefined;
  }

  /** Those that wait for an owner's word. */
  pending(): Iterable<PeerSubscription> {
    return this.#rows.pending();
  }

  /** §8.7.4: what somebody becomes may be an answer to what it has asked for; and an outcast has nothing. */
  async affiliated(topic: string, fingerprint: string, affiliation: Affiliation): Promise<void> {
    for (const row of this.of(fingerprint, topic)) {
      if (affiliation === 'outcast') await this.decide(row, 'none');
      // It may read as what it is, for as long as it is that.
      else if (row.state === 'pending' && ADMITTED.includes(affiliation)) await this.#admit(row, false);
    }
  }

  /** Nobody was let read, or waits to read, a topic that is made anew under its name. */
  async deleted(topic: string): Promise<void> {
    await Promise.all(Array.from(this.at(topic), async (row) => {
      if (row.state === 'pending' || row.consent) return this.end(row, row.state === 'pending');
      await this.#alter(row, ({ approved, ...rest }) => (approved ? rest : undefined));
      return undefined;
    }));
  }

  /** The owner of this box takes back what was said of that key, also by others; at once. Rejected: it holds all the same, and storing it is tried until it is done. */
  async disowned(fingerprint: string): Promise<void> {
    const words = [...this.#words].filter((word) => word.fingerprint === fingerprint);
    for (const word of words) word.takenBack = true;
    await Promise.all([...this.of(fingerprint)].map(async ({ approved, ...rest }) => {
      if (!approved && !words.some(({ id }) => id === rest.id)) return;
      this.#put(rest);
      if (approved) this.#parts.rightsChanged(rest.node);
      await this.end(rest, true).catch((error: unknown) => {
        // By then an owner may have let it again.
        this.#behind.later(rest.id, async () => { if (!this.#rows.get(rest.id)?.approved) await this.end(rest, true); });
        throw error;
      });
    }));
  }

  /** §6.2.3, §6.3.4: the one that is meant; refused by the names there are for that. */
  get(fingerprint: string, node: string, id?: string): PeerSubscription {
    const found = [...this.of(fingerprint, node)].filter(({ consent }) => !consent);
    const [first] = found;
    if (!first) throw notSubscribed(node);
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
    const { fingerprint, consent } = subscriber;
    const options = this.#checked(defaultOptions(node), change ?? {});
    const making = [...this.#making.keys()].filter((row) => row.fingerprint === fingerprint);
    const have = [...this.of(fingerprint, node), ...making.filter((row) => row.node === node)].filter((row) => row.consent === consent);
    const same = change === undefined ? have[0] : have.find((one) => isSameOptions(one.options, options));
    if (same) {
      await this.#making.get(same);
      if ((this.#rows.get(same.id) ?? same).state === 'pending' && state === 'pending') throw new Refusal('pending-subscription', `the owner has not said yet whether ${node} may be read`);
      return this.#again(same, state);
    }
    // XEP-0248 §6.1.3: the deeper one holds what the other would.
    if (isSubtree(node) && have.some((one) => one.options.kind === options.kind && one.options.depth !== options.depth)) {
      throw new LanpostError('conflict', `there is a subscription of that kind to ${node || 'everything'}, of another depth`);
    }
    if ([...this.of(fingerprint)].length + making.length + others >= SUBSCRIPTIONS_OF_PEER) throw new Refusal('too-many-subscriptions', `a peer may have ${SUBSCRIPTIONS_OF_PEER} subscriptions here`);
    this.#checkRoom(fingerprint, node, state);
    const made = { ...subscriber, id: randomBytes(10).toString('hex'), node, state, options, since: this.#parts.log.head };
    await this.#make(made);
    if (state === 'subscribed') this.#parts.stateChanged?.(made);
    await this.#changed(made);
    return made;
  }

  #checkRoom(fingerprint: string, node: string, state: SubscriptionState): void {
    const { limit, isKnown } = this.#parts;
    const all = this.#rows.size + this.#making.size;
    if (all >= limit) throw new LanpostError('busy', `this box keeps ${limit} subscriptions, its limit; drop some`);
    if (state === 'pending' && this.count(node) >= PENDING && [...this.at(node)].filter((row) => row.state === 'pending').length >= PENDING) {
      throw new LanpostError('busy', `${PENDING} wait for the owners of ${node}`);
    }
    const share = Math.floor(limit * STRANGERS_SHARE);
    if (all < share || isKnown(fingerprint)) return;
    if (this.#making.size + this.#rows.countOf((key) => !isKnown(key)) >= share) throw new LanpostError('busy', `peers that are not paired may have ${share} subscriptions here, all together`);
  }

  async #make(row: PeerSubscription): Promise<void> {
    const making = this.#keep(row);
    this.#making.set(row, making);
    await making.finally(() => this.#making.delete(row));
  }

  /** It asks for what it has: it is spoken with again, should something have come back; or waits, where it may not read any more without an owner's word. */
  async #again(row: PeerSubscription, state: 'pending' | 'subscribed'): Promise<PeerSubscription> {
    const after = await this.#alter(row, (now) => {
      const { suspended, ...rest } = now;
      return now.state === state && suspended === undefined ? undefined : { ...rest, state };
    });
    if (after === undefined) throw notSubscribed(row.node);
    return after;
  }

  async configure(row: PeerSubscription, change: Partial<SubscriptionOptions>): Promise<PeerSubscription> {
    const after = await this.#alter(row, (now) => {
      const { suspended: _, ...rest } = now;
      const then = { ...rest, options: this.#checked(now.options, change) };
      // From another place, which is a new one: what it has had is not for it again.
      return readsBy(then) === readsBy(now) ? then : { ...then, since: Math.max(now.since, this.#had(now)) };
    });
    if (after === undefined) throw notSubscribed(row.node);
    return after;
  }

  /** Up to where it has had all there is. */
  #had(row: PeerSubscription): number {
    const name = cursorOf(row.fingerprint, readsBy(row));
    for (const cursor of this.#parts.log.cursors()) if (cursor.name === name) return cursor.position;
    return row.since;
  }

  /** A reader of a box waits with it for an owner's word. */
  async wait(row: PeerSubscription, reader: WaitingReader): Promise<void> {
    await this.#alter(row, (now) => {
      const { waiting = [] } = now;
      if (now.state !== 'pending' || waiting.length >= SUBSCRIPTIONS_OF_PEER || waiting.some((one) => one.reader === reader.reader)) return undefined;
      return { ...now, waiting: [...waiting, reader] };
    });
  }

  /** A reader waits no more; with the last one the box does not. */
  async leave(row: PeerSubscription, reader: string): Promise<void> {
    const after = await this.#alter(row, (now) => {
      const waiting = now.waiting?.filter((one) => one.reader !== reader);
      return waiting?.length === now.waiting?.length ? undefined : { ...now, waiting: waiting ?? [] };
    });
    if ((after?.waiting ?? []).length === 0) await this.end(row, false);
  }

  /** §8.6, §8.8.2: an owner's word. The subscriber is told (§12.14). */
  async decide(row: PeerSubscription, state: SubscriptionState): Promise<void> {
    if (state === 'none') await this.end(row, true);
    else if (state === 'subscribed') await this.#admit(row, true);
  }

  async #admit(row: PeerSubscription, approved: boolean): Promise<void> {
    const word: Word = { id: row.id, fingerprint: row.fingerprint, takenBack: false };
    if (approved) this.#words.add(word);
    let waited = false;
    let readers: readonly WaitingReader[] = [];
    const after = await this.#alter(row, ({ waiting = [], ...now }) => {
      if (word.takenBack) return undefined;
      waited = now.state === 'pending';
      readers = waiting;
      if (!waited && (now.approved ?? false) === approved) return undefined;
      return { ...now, ...approved ? { approved } : {}, ...waited ? { state: 'subscribed', untold: true, since: this.#parts.log.head } as const : {} };
    }, word).finally(() => this.#words.delete(word));
    if (!waited || !after || word.takenBack) return;
    // Before it is told: what is published from now on is for them.
    if (readers.length > 0) await this.#parts.admitted?.(after, readers);
    this.#watcher.untold(after);
  }

  /** `tell`: it is not the subscriber's own wish. */
  async end({ id }: Pick<PeerSubscription, 'id'>, tell: boolean): Promise<void> {
    const ended = await this.#inTurn(id, async () => {
      const now = this.#rows.get(id);
      if (!now || now.state === 'none') return undefined;
      const { approved: _, ...rest } = now;
      if (tell) await this.#keep({ ...rest, state: 'none', untold: true });
      else await this.#forget(now);
      return now;
    });
    if (!ended) return;
    this.#parts.stateChanged?.({ ...ended, state: 'none' });
    if (ended.approved) this.#parts.rightsChanged(ended.node);
    const [oldest, ...others] = [...this.untold(ended.fingerprint)].filter(({ state }) => state === 'none');
    if (oldest && others.length >= SUBSCRIPTIONS_OF_PEER) await this.#forget(oldest);
    await this.#changed(ended);
    if (tell) this.#watcher.untold({ ...ended, state: 'none' });
  }

  /** What its client sent back: nothing more goes there until it asks again; its place is kept (§12.4). */
  async suspend(row: PeerSubscription, why: string): Promise<void> {
    await this.#alter(row, (now) => ({ ...now, suspended: why }));
  }

  /** From that position on what comes is kept for it while it is away; or nothing is any more. */
  async place({ id }: Pick<PeerSubscription, 'id'>, kept: boolean, since: number): Promise<void> {
    await this.#inTurn(id, async () => {
      const now = this.#rows.get(id);
      if (!now || now.state === 'none' || (now.unkept ?? false) !== kept) return;
      const { unkept: _, ...rest } = now;
      await this.#keep(kept ? { ...rest, since: Math.max(now.since, since) } : { ...now, unkept: true });
    });
  }

  /** States that a subscriber has to be told. */
  *untold(fingerprint: string): Iterable<PeerSubscription> {
    for (const row of this.#rows.ofKey(fingerprint)) if (row.untold) yield row;
  }

  async told({ id, state }: PeerSubscription): Promise<void> {
    await this.#inTurn(id, async () => {
      const now = this.#rows.get(id);
      if (!now?.untold || now.state !== state) return;
      const { untold: _, ...rest } = now;
      if (now.state === 'none') await this.#forget(now);
      else await this.#keep(rest);
    });
  }

  /** The subscriber has left. */
  async left(fingerprint: string): Promise<void> {
    const temporary = [...this.of(fingerprint)].filter(({ options }) => options.expire === 'presence');
    for (const row of temporary) await this.end(row, false);
  }

  /** Writes what is still only in memory. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.stop();
    this.#watcher = NOBODY;
    await this.#behind.close();
  }

  #checked(before: SubscriptionOptions, change: Partial<SubscriptionOptions>): SubscriptionOptions {
    if (typeof change.expire === 'number' && change.expire <= this.#now) throw new Refusal('invalid-options', 'it would be over already');
    return changedOptions(before, change);
  }

  /** Gives what it is then; undefined: it has ended, and stays so. `change` gives nothing where nothing is to change. */
  async #alter({ id }: PeerSubscription, change: (now: PeerSubscription) => PeerSubscription | undefined, word?: Word): Promise<PeerSubscription | undefined> {
    const altered = await this.#inTurn(id, async () => {
      const before = this.#rows.get(id);
      if (!before || before.state === 'none') return undefined;
      const after = change(before);
      if (after) await this.#keep(after, word);
      return { before, after };
    });
    if (!altered?.after) return altered?.before;
    const { before, after } = altered;
    if (before.state !== after.state) this.#parts.stateChanged?.(after);
    if (before.approved !== after.approved || (after.approved && before.state !== after.state)) this.#parts.rightsChanged(after.node);
    if (readsBy(before) !== readsBy(after)) await this.#changed(before);
    await this.#changed(after);
    return after;
  }

  #inTurn<T>(id: string, doing: () => Promise<T>): Promise<T> {
    const turn = (this.#turns.get(id) ?? Promise.resolve()).then(doing);
    const settled: Promise<unknown> = turn.catch(() => undefined).finally(() => { if (this.#turns.get(id) === settled) this.#turns.delete(id); });
    this.#turns.set(id, settled);
    return turn;
  }

  /** What was taken back while it was being written is not in force, and ends with the next turn. */
  async #keep(row: PeerSubscription, word?: Word): Promise<void> {
    await this.#parts.log.registry.set(keyOf(row), row);
    const { approved: _, ...rest } = row;
    this.#put(word?.takenBack ? rest : row);
  }

  async #forget(row: PeerSubscription): Promise<void> {
    await this.#parts.log.registry.set(keyOf(row), undefined);
    this.#rows.delete(row);
  }

  #put(row: PeerSubscription): void {
    this.#rows.put(row);
    const due = dueOf(row) ?? Infinity;
    if (due < this.#due) this.#arm(due);
  }

  /** What is read by nobody any more keeps nothing. */
  async #changed({ fingerprint, ...row }: PeerSubscription): Promise<void> {
    if (row.consent) return;
    const filter = readsBy(row);
    await this.#watcher.changed(fingerprint, filter);
    const cursor = cursorOf(fingerprint, filter);
    const read = [...this.of(fingerprint)].some((one) => !one.consent && readsBy(one) === filter);
    if (!read && this.#parts.log.hasCursor(cursor)) await this.#parts.log.dropCursor(cursor);
  }

  /** §12.19: leases end by the log's own time, which no jump of the clock moves; -Infinity while that is not known. */
  get #now(): number {
    return this.#parts.log.trustedNow() ?? -Infinity;
  }

  /** One timer for all leases: for the next. */
  #arm(due: number): void {
    this.#timer?.stop();
    this.#timer = undefined;
    this.#due = due;
    if (due === Infinity || this.#closed) return;
    const wait = this.#now === -Infinity ? 60_000 : Math.max(0, due - this.#now);
    this.#timer = this.#parts.clock.after(Math.min(wait, LONGEST_WAIT), () => {
      this.#expire().catch((error: unknown) => this.#parts.trouble(error instanceof Error ? error.message : String(error)));
    });
  }

  async #expire(): Promise<void> {
    const now = this.#now;
    const over = [...this.#rows.leased()].filter((row) => (dueOf(row) ?? Infinity) <= now);
    let soonest = -Infinity;
    try {
      for (const row of over) await this.end(row, true);
    } catch (error) {
      soonest = now + END_AGAIN;
      throw error;
    } finally {
      let next = Infinity;
      for (const row of this.#rows.leased()) next = Math.min(next, dueOf(row) ?? Infinity);
      this.#arm(Math.max(next, soonest));
    }
  }
}

function notSubscribed(node: string): Refusal {
  return new Refusal('not-subscribed', `there is no subscription to ${node || 'everything'}`);
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
