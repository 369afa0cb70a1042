import type { Clock, Timer } from '../clock.ts';
import { type ErrorCode, LanpostError } from '../errors.ts';
import type { Cursor } from '../log/cursor.ts';
import type { Log } from '../log/log.ts';
import type { GapInfo, LogRecord } from '../log/record.ts';
import type { Actor } from '../pubsub/actor.ts';
import { attr, type Element } from '../xmpp/element.ts';
import { pause } from './pause.ts';

/** Records taken from the log at a time. */
const PAGE = 64;
/** Payload bytes after which a message is full; one larger item still goes, alone. */
const MESSAGE_BYTES = 48 * 1024;
/** Records sent and not confirmed. The log remembers at most 1,000 out of order. */
const WINDOW = 512;
/** Milliseconds to wait when too much is on its way to the peer already. */
const BUSY_WAIT = 500;

export interface FeedParts {
  readonly cursor: Cursor;
  readonly actor: Actor;
  /** `still`: asked when it is handed to the peer; see `PeerStreams`. */
  readonly send: (stanza: Element, still: () => boolean) => Promise<{ readonly delivered?: Promise<void>; readonly taken?: Promise<void> }>;
  readonly clock: Clock;
  /** Whether there is anything that it may read: rights and topics change while it does. */
  readonly allowed: () => boolean;
  /** Whether this one is for it, and may be: what is not is passed over for good. */
  readonly wants: (record: LogRecord) => boolean;
  /** Records of one topic in one message. */
  readonly most: number;
  readonly message: (records: readonly LogRecord[]) => Element;
  /** That a record is missing, and why. */
  readonly missing: (record: LogRecord, gap: GapInfo) => Element;
  /** It is done. */
  readonly passed?: (record: LogRecord) => void;
  /** One record could not be sent; it goes on. */
  readonly skipped: (record: LogRecord, error: LanpostError) => void;
  /** Into the ledger. */
  readonly noteLoss: Log['noteLoss'];
  /** Called once: it sends no more. */
  readonly failed: (error: unknown) => void;
  /**
   * Of a peer that may send a message back (XEP-0060 §12.4): milliseconds that a record is not done yet although
   * its message has arrived. Then what it was there to read counts as well, where a stream has no `h`.
   */
  readonly returns?: number;
}

/** What was sent, and may come back until a moment after it has arrived. */
interface Sent { readonly id: string | undefined; readonly records: readonly LogRecord[]; timer?: Timer }

/** One reader's cursor, for as long as its peer's stream lives. A record is done when the peer's `h` covers it. */
export class Feed {
  readonly cursor: Cursor;
  readonly actor: Actor;
  readonly #parts: FeedParts;
  readonly #ended = new AbortController();
  readonly #running: Promise<void>;
  readonly #sent = new Set<Sent>();
  #inFlight = 0;
  #room: (() => void) | undefined;
  /** Gives up what is being handed to the stream. */
  #giveUp: (() => void) | undefined;

  constructor(parts: FeedParts) {
    this.#parts = parts;
    this.cursor = parts.cursor;
    this.actor = parts.actor;
    this.#running = this.#run().catch((error: unknown) => {
      if (!this.#ended.signal.aborted) this.#fail(error);
    });
  }

  /** Whatever was not confirmed is delivered again when the peer is back. Waits for nothing that the peer has to do. */
  async close(): Promise<void> {
    this.#end();
    await this.#running;
    for (const { records, timer } of this.#sent) {
      timer?.stop();
      if (timer) this.#done(records);
    }
    this.#sent.clear();
    await this.cursor.close();
  }

  /** The peer has sent back the message of that id; if it was one of these, what was in it is not done. */
  returned(id: string): boolean {
    const one = [...this.#sent].find((sent) => sent.id === id);
    if (!one) return false;
    one.timer?.stop();
    this.#sent.delete(one);
    return true;
  }

  async #run(): Promise<void> {
    while (!this.#ended.signal.aborted) {
      if (this.#inFlight >= WINDOW) {
        await new Promise<void>((resolve) => { this.#room = resolve; });
        continue;
      }
      const page = await this.cursor.next(PAGE);
      if (page.length === 0) {
        await this.cursor.wait(this.#ended.signal);
        continue;
      }
      for (const batch of batches(page.map(({ record }) => record), this.#parts.most)) {
        if (this.#ended.signal.aborted) return;
        await this.#send(batch);
      }
    }
  }

  async #send(batch: readonly LogRecord[]): Promise<void> {
    const { message, wants } = this.#parts;
    for (let left = batch; !this.#ended.signal.aborted;) {
      // Rights may have gone since the subscription, since the records were read, and while it was waited.
      this.#check();
      const news = left.filter(wants);
      if (news.length < left.length) this.#done(left.filter((record) => !news.includes(record)));
      const [first] = news;
      if (!first) return;
      try {
        if (await this.#hand(news, message(news))) return;
      } catch (error) {
        if (error instanceof LanpostError && error.code === 'busy') await pause(this.#parts.clock, BUSY_WAIT, this.#ended.signal);
        else if (!isUnfit(error)) throw error;
        // Escaping can make a batch many times as long as its payloads.
        else if (news.length > 1) {
          for (const record of news) await this.#send([record]);
          return;
        } else if (await this.#skip(first, error)) return;
      }
      left = news;
    }
  }

  /** No stanza holds it: the reader is told where it is missing, and gets the rest. */
  async #skip(record: LogRecord, error: LanpostError): Promise<boolean> {
    const { missing, noteLoss, skipped } = this.#parts;
    const gap = { from: record.seq, to: record.seq, count: 1, reason: 'unfit' } as const;
    skipped(record, error);
    // First: once it is told, and confirmed, nobody comes by here again.
    await this.#patiently('disk-full', () => noteLoss({ ...gap, reader: this.cursor.name, topic: record.topic }));
    let handed = false;
    await this.#patiently('busy', async () => { handed = await this.#hand([record], missing(record, gap)); });
    return handed;
  }

  /** Again and again, as long as that is what is in its way. */
  async #patiently(code: ErrorCode, doing: () => Promise<void>): Promise<void> {
    for (let done = false; !done && !this.#ended.signal.aborted;) {
      this.#check();
      try {
        await doing();
        done = true;
      } catch (failure) {
        if (!(failure instanceof LanpostError && failure.code === code)) throw failure;
        await pause(this.#parts.clock, BUSY_WAIT, this.#ended.signal);
      }
    }
  }

  #check(): void {
    if (!this.#parts.allowed()) throw new LanpostError('forbidden', `it may not read ${this.cursor.filter} any more`);
  }

  #isFor(records: readonly LogRecord[]): boolean {
    return this.#parts.allowed() && records.every(this.#parts.wants);
  }

  /** False: while it waited for the stream, rights to some of it have gone, and nothing of it went out. */
  async #hand(records: readonly LogRecord[], stanza: Element): Promise<boolean> {
    const handed = await this.#given(records, stanza);
    if (!handed) return false;
    const { returns } = this.#parts;
    const { delivered: acknowledged, taken } = handed;
    const delivered = acknowledged ?? (returns === undefined ? undefined : taken);
    if (!delivered) throw new LanpostError('unsupported', 'the stream confirms nothing');
    this.#inFlight += records.length;
    const sent: Sent = { id: attr(stanza, 'id'), records };
    if (returns !== undefined) this.#sent.add(sent);
    const landed = (): void => {
      this.#landed(records);
      if (returns === undefined) this.#done(records);
      else this.#arrived(sent, returns);
    };
    const lost = (error: unknown): void => {
      this.#landed(records);
      if (!this.#ended.signal.aborted) this.#fail(error);
    };
    delivered.then(landed, lost);
    return true;
  }

  /** A peer that takes nothing may have it wait for as long as it likes: nobody who ends this waits for that. */
  async #given(records: readonly LogRecord[], stanza: Element): Promise<Awaited<ReturnType<FeedParts['send']>> | undefined> {
    const { signal } = this.#ended;
    try {
      const sending = this.#parts.send(stanza, () => !signal.aborted && this.#isFor(records));
      // By hand: with each record a listener on the signal would cost as much as the rest of this.
      return await new Promise((resolve, reject) => {
        this.#giveUp = () => reject(signal.reason);
        sending.then(resolve, reject);
      });
    } catch (error) {
      if (!signal.aborted && error instanceof LanpostError && error.code === 'forbidden' && !this.#isFor(records)) return undefined;
      throw error;
    }
  }

  #landed({ length }: readonly LogRecord[]): void {
    this.#inFlight -= length;
    this.#room?.();
  }

  #arrived(sent: Sent, ms: number): void {
    if (!this.#sent.has(sent)) return; // it was sent back, or the feed is over
    sent.timer = this.#parts.clock.after(ms, () => {
      this.#sent.delete(sent);
      this.#done(sent.records);
    });
  }

  #end(): void {
    this.#ended.abort();
    this.#giveUp?.();
    this.#room?.();
  }

  #fail(error: unknown): void {
    this.#end();
    this.#parts.failed(error);
  }

  #done(batch: readonly LogRecord[]): void {
    for (const record of batch) {
      this.cursor.done(record.seq);
      this.#parts.passed?.(record);
    }
  }
}

/** Of a stanza that can never be sent. */
function isUnfit(error: unknown): error is LanpostError {
  return error instanceof LanpostError && (error.code === 'too-large' || error.code === 'invalid-value');
}

/** Runs of one topic, each small enough for one message. */
function* batches(records: readonly LogRecord[], most: number): Generator<LogRecord[]> {
  let batch: LogRecord[] = [];
  let bytes = 0;
  for (const record of records) {
    const size = record.payload?.bytes.length ?? 0;
    if (batch.length > 0 && (batch.length >= most || record.topic !== batch[0]?.topic || bytes + size > MESSAGE_BYTES)) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(record);
    bytes += size;
  }
  if (batch.length > 0) yield batch;
}
