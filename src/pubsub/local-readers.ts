import type { From, Poison, SubscribeOptions, Subscription, SubscriptionInfo, Trouble } from '../api.ts';
import type { Clock } from '../clock.ts';
import { LanpostError } from '../errors.ts';
import type { CursorInfo, Log } from '../log/log.ts';
import { Abandonment, LOCAL } from './abandonment.ts';
import { Leases } from './leases.ts';
import { poisonOf, Poisons } from './poison.ts';
import { pullSubscription } from './subscription.ts';
import { termsOf } from './terms.ts';
import { noteUnread } from './unread.ts';

export interface LocalReadersParts {
  readonly log: Log;
  readonly clock: Clock;
  readonly trouble: (trouble: Trouble) => void;
  /** Whether one more durable reader may be; throws. */
  readonly admit: () => void;
  /** A durable reader was dropped because nobody read it. */
  readonly expired?: (name: string) => Promise<void>;
}

/** Subscriptions asked about at once, each with a few reads of the disk. */
const AT_ONCE = 64;

/** The subscriptions that programs on this box read, and what can be said of all durable ones. */
export class LocalReaders {
  readonly #parts: LocalReadersParts;
  readonly #abandonment: Abandonment;
  readonly #leases: Leases;

  constructor(parts: LocalReadersParts) {
    const { log, clock, trouble, admit } = parts;
    const poisons = new Poisons(clock, trouble);
    this.#parts = parts;
    this.#abandonment = new Abandonment({ log, clock, trouble, expire: (name) => this.#expire(name) });
    this.#leases = new Leases({
      log, clock, admit, abandonment: this.#abandonment,
      putAside: (...what) => poisons.putAside(...what),
    });
  }

  /** All of it has been checked: `checkedSubscription`. */
  subscribe(filter: string, options: SubscribeOptions): Subscription {
    const { durable, group = false, from = 'new', maxDeliveries, expires, maxBacklog } = options;
    const terms = { ...(maxDeliveries === undefined ? {} : { maxDeliveries }), ...(expires === undefined ? {} : { expires }), ...(maxBacklog === undefined ? {} : { maxBacklog }) };
    return pullSubscription(() => (durable === undefined
      ? this.#leases.live(filter, from)
      : this.#leases.durable({ name: LOCAL + durable, filter, from, group, ...terms })), options);
  }

  async list(): Promise<SubscriptionInfo[]> {
    const found: SubscriptionInfo[] = [];
    let page: Promise<SubscriptionInfo>[] = [];
    for (const cursor of this.#parts.log.cursors()) {
      page.push(this.#info(cursor));
      if (page.length < AT_ONCE) continue;
      found.push(...await Promise.all(page));
      page = [];
    }
    return [...found, ...await Promise.all(page)];
  }

  /** `name` as `list` shows it. */
  async drop(name: string): Promise<void> {
    await this.#parts.log.dropCursor(this.#full(name));
  }

  async seek(name: string, from: From): Promise<void> {
    await this.#parts.log.seek(this.#local(name), from);
  }

  async poison(name: string): Promise<Poison[]> {
    const found = await this.#parts.log.asides(this.#full(name));
    return found.map((aside) => poisonOf(aside)).filter((one) => one !== undefined);
  }

  async retry(name: string, seqs?: readonly number[]): Promise<number> {
    return this.#parts.log.retryAsides(this.#full(name), checkedSeqs(seqs));
  }

  async dropPoison(name: string, seqs?: readonly number[]): Promise<number> {
    return this.#parts.log.dropAsides(this.#full(name), checkedSeqs(seqs));
  }

  close(): void {
    this.#abandonment.close();
  }

  async #info(cursor: CursorInfo): Promise<SubscriptionInfo> {
    const { name, reader } = readerOf(cursor.name, cursor.extra);
    const pending = await cursor.pending();
    const local = cursor.name.startsWith(LOCAL);
    const { since, idle: _, ...terms } = local ? this.#abandonment.terms(cursor.name) : reader === 'inbox' && !cursor.open ? { since: termsOf(cursor.extra).since } : {};
    const age = pending === 0 ? 0 : await this.#age(cursor);
    return {
      name, reader, pending, filter: cursor.filter, durable: true, position: cursor.position, held: cursor.held,
      bytes: pending === 0 ? 0 : await cursor.bytes(),
      ...(age === undefined ? {} : { oldestAge: age }),
      readers: local ? this.#leases.readers(cursor.name) : Number(cursor.open),
      unconfirmed: cursor.unconfirmed, poison: cursor.asides,
      ...(since === undefined ? {} : { abandonedSince: since }),
      ...terms, ...(cursor.maxBacklog && { maxBacklog: cursor.maxBacklog }),
    };
  }

  /** In time that can be trusted; for a record accepted before the clock was set that is not known. */
  async #age(cursor: CursorInfo): Promise<number | undefined> {
    const { log, clock } = this.#parts;
    const stamp = (await cursor.oldest())?.stamp;
    if (!stamp) return 0;
    if (stamp.boot === log.epoch) return Math.max(0, clock.mono() - stamp.mono);
    const now = stamp.trusted ? log.trustedNow() : undefined;
    return now === undefined ? undefined : Math.max(0, now - stamp.wall);
  }

  async #expire(name: string): Promise<void> {
    const { log, trouble, expired } = this.#parts;
    if (this.#leases.readers(name) > 0) return;
    await noteUnread(log, name, 'expired');
    if (this.#leases.readers(name) > 0) return;
    await log.dropCursor(name);
    const plain = name.slice(LOCAL.length);
    trouble({ kind: 'pubsub.expired', message: `the durable subscription "${plain}" was dropped: nobody has read it for as long as it was to be kept` });
    await expired?.(plain);
  }

  #full(name: string): string {
    const { log } = this.#parts;
    const full = log.hasCursor(LOCAL + name) ? LOCAL + name : name;
    if (!log.hasCursor(full)) throw new LanpostError('not-found', `there is no durable subscription "${name}": see \`lanpost subscriptions list\``);
    return full;
  }

  /** What else reads the log has ways of its own. */
  #local(name: string): string {
    const full = this.#full(name);
    if (!full.startsWith(LOCAL)) throw new LanpostError('unsupported', `"${name}" is not a reader of this box: where it stands is not said here`);
    return full;
  }
}

function readerOf(name: string, extra: unknown): { name: string; reader: string } {
  if (name.startsWith(LOCAL)) return { name: name.slice(LOCAL.length), reader: 'local' };
  const peer = typeof extra === 'object' && extra !== null && 'kind' in extra && extra.kind === 'peer' && 'name' in extra;
  return { name, reader: peer ? `link:${String(extra.name)}` : (name.split(':')[0] ?? 'local') };
}

function checkedSeqs(seqs?: readonly number[]): readonly number[] | undefined {
  if (seqs === undefined) return undefined;
  if (!Array.isArray(seqs) || !seqs.every((seq) => Number.isSafeInteger(seq))) throw new TypeError('positions must be a list of whole numbers');
  return seqs;
}
