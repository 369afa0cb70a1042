import type { MessageState, Receipt } from '../api.ts';
import { LanpostError } from '../errors.ts';
import type { Log } from '../log/log.ts';
import { isMailTopic } from './letter.ts';

const PREFIX = 'mail:ends:';
/** COMPAT(stores from before 0.1): one row for each, by the message's id, which another address may have had as well. */
const BY_ID = 'mail:end:';
/** Ends of letters to one address before it is looked which of these letters newer ones with their ids have replaced. */
const CROWDED = 400;

const ENDS = ['handed', 'refused', 'expired'] as const;

export type End = (typeof ENDS)[number];

/** `handed` fails only those who wait for `delivered`, which will never come. The words are for whoever sends it once more. */
const FAILURES = {
  handed: ['unsupported', 'this recipient confirms nothing'],
  refused: ['forbidden', 'the message with this id was refused before; to try anew, send it with another id'],
  expired: ['expired', 'the message with this id had expired before; to try anew, send it with another id'],
} as const;

/** Positions of letters to one address. */
type EndsRow = Partial<Record<End, readonly number[]>>;

/** As one box keeps it: the topic of its outbox, its position there. */
export interface KeptLetter { readonly topic: string; readonly seq: number }

type ReceiptsLog = Pick<Log, 'registry' | 'head' | 'topic' | 'topics' | 'items'>;

interface Waiting {
  handed(): void;
  delivered(): void;
  failed(error: LanpostError): void;
}

/**
 * What became of each letter: promises for those who wait, a row for each address for those who ask later. How one ended
 * is kept as long as it can be asked for, so that what is behind its reader and has no end here was delivered.
 */
export class Receipts {
  readonly #log: ReceiptsLog;
  /** By position. A letter sent again has one more that waits. */
  readonly #waiting = new Map<number, Waiting[]>();
  readonly #ends = new Map<string, Map<number, End>>();
  readonly #handed = new Set<number>();
  #closed = false;

  constructor(log: ReceiptsLog) {
    this.#log = log;
    // Above the head there is no letter: damage that took those must not have the ones that get their positions end so.
    for (const [key, row] of log.registry.entries(PREFIX)) this.#ends.set(key.slice(PREFIX.length), new Map(endsOf(row).filter(([seq]) => seq <= log.head)));
  }

  /** Takes over what was kept otherwise; `isPast` as in `open`. */
  async start(isPast: (letter: KeptLetter) => boolean): Promise<void> {
    const { registry } = this.#log;
    const old = new Map(registry.entries(BY_ID).map(([key, row]) => [key.slice(BY_ID.length), row]));
    if (old.size === 0) return;
    for (const { name } of this.#log.topics()) {
      if (!isMailTopic(name)) continue;
      const ends = this.#ends.get(name) ?? new Map<number, End>();
      for (const letter of await this.#log.items(name, { ids: [...old.keys()] })) {
        const end = isPast(letter) && endIn(old.get(letter.id ?? ''));
        if (end && !ends.has(letter.seq)) ends.set(letter.seq, end);
      }
      if (ends.size > 0) this.#ends.set(name, ends);
    }
    const rows = [...this.#ends].map(([topic, ends]): [string, EndsRow] => [PREFIX + topic, rowOf(ends)]);
    await registry.setAll([...rows, ...[...old.keys()].map((id): [string, undefined] => [BY_ID + id, undefined])]).catch((error: unknown) => {
      if (!(error instanceof LanpostError)) throw error; // a log that takes nothing: it is done at another start
    });
  }

  /** Of a letter on disk, whatever has become of it by now; `isPast`: its outbox is done with it. */
  open(id: string, to: string, letter: KeptLetter, isPast: boolean): Receipt {
    const handed = deferred();
    const delivered = deferred();
    // Nobody has to listen to a receipt: what is not asked for must not raise an unhandled rejection.
    for (const { promise } of [handed, delivered]) promise.catch(() => undefined);
    const waiting: Waiting = {
      handed: () => handed.resolve(),
      delivered: () => { handed.resolve(); delivered.resolve(); },
      failed: (error) => { handed.reject(error); delivered.reject(error); },
    };
    this.#wait(waiting, letter, isPast);
    return { id, to, accepted: Promise.resolve(), handed: handed.promise, delivered: delivered.promise };
  }

  #wait(waiting: Waiting, letter: KeptLetter, isPast: boolean): void {
    const { seq } = letter;
    const end = this.end(letter);
    if (end) return fail(waiting, end);
    if (isPast) return waiting.delivered();
    if (this.#closed) return waiting.failed(closed());
    if (this.#handed.has(seq)) waiting.handed();
    this.#waiting.set(seq, [...this.#waiting.get(seq) ?? [], waiting]);
  }

  handed(seq: number): void {
    this.#handed.add(seq);
    for (const waiting of this.#waiting.get(seq) ?? []) waiting.handed();
  }

  /** The recipient confirmed it, and its outbox is done with it. */
  delivered(seq: number): void {
    this.#handed.delete(seq);
    for (const waiting of this.#waiting.get(seq) ?? []) waiting.delivered();
    this.#waiting.delete(seq);
  }

  /** It ended otherwise. Whoever waits is told when that is on disk; while it rejects, it is to be said again. */
  async ended({ topic, seq }: KeptLetter, end: End, why: string): Promise<void> {
    const ends = this.#ends.get(topic) ?? new Map<number, End>();
    this.#ends.set(topic, ends.set(seq, end));
    await this.#forget(topic, ends);
    await this.#log.registry.set(PREFIX + topic, rowOf(ends));
    this.#handed.delete(seq);
    for (const waiting of this.#waiting.get(seq) ?? []) fail(waiting, end, why);
    this.#waiting.delete(seq);
  }

  /** How it ended, other than delivered. */
  end({ topic, seq }: KeptLetter): End | undefined {
    return this.#ends.get(topic)?.get(seq);
  }

  /** `undefined`: still on its way as far as is known here, or confirmed. */
  state(letter: KeptLetter): MessageState | undefined {
    return this.end(letter) ?? (this.#handed.has(letter.seq) ? 'handed' : undefined);
  }

  close(): void {
    this.#closed = true;
    for (const waiting of [...this.#waiting.values()].flat()) waiting.failed(closed());
    this.#waiting.clear();
  }

  /** Of what has left the view nobody can ask any more. */
  async #forget(topic: string, ends: Map<number, End>): Promise<void> {
    const { viewFrom = 0 } = this.#log.topic(topic) ?? {};
    for (const seq of ends.keys()) if (seq < viewFrom) ends.delete(seq);
    if (ends.size <= CROWDED) return;
    const newest = Math.max(...ends.keys());
    const inView = new Set((await this.#log.items(topic)).map(({ seq }) => seq));
    // What has been said meanwhile is of what may be newer than what was looked at.
    for (const seq of ends.keys()) if (seq < newest && !inView.has(seq)) ends.delete(seq);
  }
}

function fail(waiting: Waiting, end: End, why: string = FAILURES[end][1]): void {
  if (end === 'handed') waiting.handed();
  waiting.failed(new LanpostError(FAILURES[end][0], why));
}

function closed(): LanpostError {
  return new LanpostError('closed', 'the box was closed; the message is kept and goes on at the next start');
}

function rowOf(ends: ReadonlyMap<number, End>): EndsRow {
  const row: Partial<Record<End, number[]>> = {};
  for (const [seq, end] of ends) (row[end] ??= []).push(seq);
  return row;
}

function endsOf(row: unknown): [number, End][] {
  if (typeof row !== 'object' || row === null) return [];
  const known: EndsRow = row;
  return ENDS.flatMap((end) => (known[end] ?? []).map((seq): [number, End] => [seq, end]));
}

/** Of a row by id. */
function endIn(row: unknown): End | undefined {
  return typeof row === 'object' && row !== null && 'end' in row ? ENDS.find((end) => end === row.end) : undefined;
}

interface Deferred {
  readonly promise: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (reason: LanpostError) => void;
}

// COMPAT(Node 20): Promise.withResolvers comes with Node 22.
function deferred(): Deferred {
  let resolve!: () => void;
  let reject!: (reason: LanpostError) => void;
  const promise = new Promise<void>((yes, no) => { resolve = yes; reject = no; });
  return { promise, resolve, reject };
}
