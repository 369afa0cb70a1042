// Takes records from the log as far ahead as there is room, one loop per reader.
import type { Clock } from '../clock.ts';
import type { Cursor } from '../log/cursor.ts';
import { LanpostError } from '../errors.ts';
import type { Log } from '../log/log.ts';
import type { LogRecord } from '../log/record.ts';
import { partsOf, type Entry } from './lane.ts';
import { generationsOf, horizonOf, pastOf, type Past } from './succession.ts';

/** One durable cursor, and which topics it has. */
export interface ReaderOf {
  readonly name: string;
  readonly filter: string;
  readonly matches: (topic: string) => boolean;
}

interface Reading {
  /** Of other readers, which have what these match. */
  readonly earlier: readonly ((topic: string) => boolean)[];
  readonly past: Past | undefined;
  readonly paused: () => boolean;
}

export interface ReadAheadParts {
  readonly log: Log;
  readonly clock: Clock;
  /** A record that several match belongs to the first. */
  readonly readers: readonly ReaderOf[];
  readonly limits: { readonly ahead: number; readonly aheadBytes: number };
  readonly take: (cursor: Cursor, record: LogRecord, redelivered: boolean) => void;
  /** Whose a record of the topic is, when `cursor` gave it. */
  readonly owner: (cursor: Cursor, topic: string) => Cursor;
  /** Nothing can be sent of all that was read: only more helps. */
  readonly starved: () => boolean;
  /** A reader has read all there is. */
  readonly tail: (cursor: Cursor) => void;
  readonly failed: (error: unknown) => void;
}

const PAGE = 256;
const AGAIN = 1_000;

export class ReadAhead {
  readonly #parts: ReadAheadParts;
  readonly #closing = new AbortController();
  readonly mains: Cursor[] = [];
  /** What mains have from cursors that were before them. */
  readonly #pasts = new Map<Cursor, Past>();
  readonly #loops = new Map<Cursor, Promise<void>>();
  #items = 0;
  #bytes = 0;
  #waiting: (() => void)[] = [];
  /** Grows with each going back: a page asked for before it comes too early. */
  #turn = 0;

  constructor(parts: ReadAheadParts) {
    this.#parts = parts;
  }

  /** Opens the readers; nothing is read yet. */
  async open(): Promise<void> {
    const { log, readers } = this.#parts;
    for (const { name, filter } of readers) {
      const cursor = await log.cursor({ name, filter, from: 'start', durable: true });
      this.mains.push(cursor);
      const past = generationsOf(log.extra(name));
      if (past.length === 0) continue;
      if (cursor.position < horizonOf(past)) this.#pasts.set(cursor, pastOf(past));
      else await log.annotate(name, undefined, false);
    }
  }

  start(): void {
    for (const [i, cursor] of this.mains.entries()) this.#begin(cursor, { earlier: this.#before(i), past: this.#pasts.get(cursor), paused: () => false });
  }

  /** One more reader, of a topic that `main` had; while `paused` it takes nothing. */
  adopt(cursor: Cursor, main: Cursor, paused: () => boolean): void {
    this.#begin(cursor, { earlier: this.#before(this.mains.indexOf(main)), past: this.#pasts.get(main), paused });
  }

  #before(i: number): Reading['earlier'] {
    return this.#parts.readers.slice(0, i).map((reader) => reader.matches);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.makeRoom();
    await Promise.all(this.#loops.values());
    await Promise.all(this.mains.map((cursor) => cursor.close()));
  }

  get #full(): boolean {
    const { ahead, aheadBytes } = this.#parts.limits;
    return this.#items >= ahead || this.#bytes >= aheadBytes;
  }

  queued(entry: Entry): void {
    for (const { bytes } of partsOf(entry)) {
      this.#items++;
      this.#bytes += bytes;
    }
  }

  unqueued(entry: Entry): void {
    for (const { bytes } of partsOf(entry)) {
      this.#items--;
      this.#bytes -= bytes;
    }
  }

  /** Lets the loops look whether they may go on. */
  makeRoom(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  /** These are read again, in order, before anything that follows them. */
  again(cursor: Cursor, seqs: readonly number[]): void {
    this.#turn++;
    for (const seq of seqs) cursor.again(seq);
    this.makeRoom();
  }

  /** All from `seq` on that is not done is read again, in order. */
  rewindTo(cursor: Cursor, seq: number): void {
    this.#turn++;
    cursor.rewindTo(seq);
    this.makeRoom();
  }

  #begin(cursor: Cursor, options: Reading): void {
    // Entered before it runs, so that it is not taken for one that was retired.
    this.#loops.set(cursor, Promise.resolve());
    this.#loops.set(cursor, this.#loop(cursor, options));
  }

  async #loop(cursor: Cursor, { earlier, past, paused }: Reading): Promise<void> {
    const { take, owner, tail, failed, starved } = this.#parts;
    const { signal } = this.#closing;
    while (!signal.aborted) {
      try {
        if (paused() || (this.#full && !starved())) {
          await new Promise<void>((resolve) => { this.#waiting.push(resolve); });
          continue;
        }
        const turn = this.#turn;
        const deliveries = await cursor.next(PAGE);
        if (turn !== this.#turn) {
          // Something before it is read again: it must wait its turn.
          for (const { record } of deliveries) owner(cursor, record.topic).again(record.seq);
          continue;
        }
        if (deliveries.length === 0) {
          tail(cursor);
          await cursor.wait(signal);
        }
        for (const { record, redelivered } of deliveries) {
          const before = past?.(record);
          if (before === 'done' || earlier.some((matches) => matches(record.topic))) cursor.done(record.seq);
          else take(cursor, record, redelivered || before === 'seen');
        }
      } catch (error) {
        if (signal.aborted) return;
        // Its topic has caught up: whoever it came from reads on.
        if (error instanceof LanpostError && error.code === 'closed') break;
        failed(error);
        await this.#pause();
      }
    }
    this.#loops.delete(cursor);
  }

  #pause(): Promise<void> {
    const { signal } = this.#closing;
    return new Promise<void>((resolve) => {
      const timer = this.#parts.clock.after(AGAIN, resolve);
      signal.addEventListener('abort', () => {
        timer.stop();
        resolve();
      }, { once: true });
    });
  }
}
