import type { Clock } from '../clock.ts';
import { LanpostError } from '../errors.ts';
import type { Cursor } from '../log/cursor.ts';
import type { LogRecord } from '../log/record.ts';
import type { Actor } from '../pubsub/actor.ts';
import { noticeOf } from '../pubsub/notice.ts';
import { eventMessage } from '../xep/pubsub/event.ts';
import { isLegal } from '../xml/text.ts';
import type { Element } from '../xmpp/element.ts';

/** Records taken from the log at a time, and the most in one message. */
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
  /** The subscription's name at the peer. */
  readonly reader: string;
  /** The peer's own box id: what it accepted first never goes back to it. */
  readonly boxId: string;
  readonly send: (stanza: Element) => Promise<{ readonly delivered?: Promise<void> }>;
  readonly clock: Clock;
  /** Whether it may still read: rights and topics change while it does. */
  readonly mayRead: () => boolean;
  /** See `Log.predecessor`. */
  readonly predecessor: (record: LogRecord) => number | undefined;
  /** One record could not be sent; it goes on. */
  readonly skipped: (record: LogRecord, error: LanpostError) => void;
  /** Called once: it sends no more. */
  readonly failed: (error: unknown) => void;
}

/** One subscription of one peer, for as long as its stream lives. A record is done when the peer's `h` covers it. */
export class Feed {
  readonly cursor: Cursor;
  readonly actor: Actor;
  readonly #parts: FeedParts;
  readonly #ended = new AbortController();
  readonly #running: Promise<void>;
  #inFlight = 0;
  #room: (() => void) | undefined;

  constructor(parts: FeedParts) {
    this.#parts = parts;
    this.cursor = parts.cursor;
    this.actor = parts.actor;
    this.#running = this.#run().catch((error: unknown) => {
      if (!this.#ended.signal.aborted) this.#fail(error);
    });
  }

  /** Whatever was not confirmed is delivered again when the peer is back. */
  async close(): Promise<void> {
    this.#ended.abort();
    this.#room?.();
    await this.#running;
    await this.cursor.close();
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
      for (const batch of batches(page.map(({ record }) => record))) {
        if (this.#ended.signal.aborted) return;
        await this.#send(batch);
      }
    }
  }

  async #send(batch: readonly LogRecord[]): Promise<void> {
    const news = batch.filter((record) => record.origin?.box !== this.#parts.boxId);
    if (news.length < batch.length) this.#done(batch.filter((record) => !news.includes(record)));
    const [first] = news;
    if (!first) return;
    const { reader, predecessor } = this.#parts;
    try {
      await this.#hand(news, eventMessage(reader, first.topic, news.map((record) => noticeOf(record, predecessor(record)))));
    } catch (error) {
      if (!isUnfit(error)) throw error;
      // Escaping can make a batch many times as long as its payloads.
      if (news.length > 1) for (const record of news) await this.#send([record]);
      else await this.#skip(first, error);
    }
  }

  /** No stanza holds it: the reader is told where it is missing, and gets the rest. */
  async #skip(record: LogRecord, error: LanpostError): Promise<void> {
    const { reader, skipped } = this.#parts;
    const { seq, stamp, recordId } = record;
    skipped(record, error);
    const gap = { kind: 'gap', recordId, time: stamp.wall, gap: { from: seq, to: seq, count: 1, reason: 'unknown' } } as const;
    // Its topic may be what does not fit.
    await this.#hand([record], eventMessage(reader, isLegal(record.topic) ? record.topic : '', [gap]));
  }

  async #hand(records: readonly LogRecord[], stanza: Element): Promise<void> {
    // Rights may have gone since the subscription, and since the records were read.
    if (!this.#parts.mayRead()) throw new LanpostError('forbidden', `it may not read ${this.cursor.filter} any more`);
    const { delivered } = await this.#accepted(stanza);
    if (!delivered) throw new LanpostError('unsupported', 'the stream confirms nothing');
    this.#inFlight += records.length;
    delivered.then(
      () => this.#done(records),
      (error: unknown) => { if (!this.#ended.signal.aborted) this.#fail(error); },
    ).finally(() => {
      this.#inFlight -= records.length;
      this.#room?.();
    });
  }

  async #accepted(stanza: Element): ReturnType<FeedParts['send']> {
    for (;;) {
      try {
        return await this.#parts.send(stanza);
      } catch (error) {
        if (!(error instanceof LanpostError && error.code === 'busy') || this.#ended.signal.aborted) throw error;
        await this.#pause(BUSY_WAIT);
      }
    }
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#parts.clock.after(ms, () => end());
      const end = (): void => {
        timer.stop();
        this.#ended.signal.removeEventListener('abort', end);
        resolve();
      };
      this.#ended.signal.addEventListener('abort', end, { once: true });
    });
  }

  #fail(error: unknown): void {
    this.#ended.abort();
    this.#room?.();
    this.#parts.failed(error);
  }

  #done(batch: readonly LogRecord[]): void {
    for (const { seq } of batch) this.cursor.done(seq);
  }
}

/** Of a stanza that can never be sent. */
function isUnfit(error: unknown): error is LanpostError {
  return error instanceof LanpostError && (error.code === 'too-large' || error.code === 'invalid-value');
}

/** Runs of one topic, each small enough for one message. */
function* batches(records: readonly LogRecord[]): Generator<LogRecord[]> {
  let batch: LogRecord[] = [];
  let bytes = 0;
  for (const record of records) {
    const size = record.payload?.bytes.length ?? 0;
    if (batch.length > 0 && (record.topic !== batch[0]?.topic || bytes + size > MESSAGE_BYTES)) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(record);
    bytes += size;
  }
  if (batch.length > 0) yield batch;
}
