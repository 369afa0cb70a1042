import type { Cursor } from '../log/cursor.ts';
import type { LogRecord } from '../log/record.ts';
import type { Actor } from '../pubsub/actor.ts';
import { noticeOf } from '../pubsub/notice.ts';
import { eventMessage } from '../xep/pubsub-event.ts';
import type { Element } from '../xmpp/element.ts';

/** Records taken from the log at a time, and the most in one message. */
const PAGE = 64;
/** Payload bytes after which a message is full; one larger item still goes, alone. */
const MESSAGE_BYTES = 48 * 1024;
/** Records sent and not confirmed. The log remembers at most 1,000 out of order. */
const WINDOW = 512;

export interface FeedParts {
  readonly cursor: Cursor;
  readonly actor: Actor;
  /** The subscription's name at the peer. */
  readonly reader: string;
  /** The peer's own box id: what it accepted first never goes back to it. */
  readonly boxId: string;
  readonly send: (stanza: Element) => Promise<{ readonly delivered?: Promise<void> }>;
  /** See `Log.predecessor`. */
  readonly predecessor: (record: LogRecord) => number | undefined;
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
      if (!this.#ended.signal.aborted) parts.failed(error);
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
    const [first] = batch;
    if (!first) return;
    const news = batch.filter((record) => record.origin?.box !== this.#parts.boxId);
    if (news.length === 0) return this.#done(batch);
    this.#inFlight += batch.length;
    const { delivered } = await this.#parts.send(eventMessage(this.#parts.reader, first.topic, news.map((record) => noticeOf(record, this.#parts.predecessor(record)))));
    if (!delivered) throw new Error('the stream confirms nothing');
    delivered.then(
      () => this.#done(batch),
      (error: unknown) => { if (!this.#ended.signal.aborted) this.#parts.failed(error); },
    ).finally(() => {
      this.#inFlight -= batch.length;
      this.#room?.();
    });
  }

  #done(batch: readonly LogRecord[]): void {
    for (const { seq } of batch) this.cursor.done(seq);
  }
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
