// Takes records from the log as far ahead as there is room, one loop per reader.
import type { Clock } from '../clock.ts';
import type { Cursor } from '../log/cursor.ts';
import { matches } from '../log/filter.ts';
import type { Log } from '../log/log.ts';
import type { LogRecord } from '../log/record.ts';
import type { Entry } from './lane.ts';

export interface ReadAheadParts {
  readonly log: Log;
  readonly clock: Clock;
  /** Name and filter of each reader. A record that several match belongs to the first. */
  readonly readers: readonly { readonly name: string; readonly filter: string }[];
  readonly limits: { readonly ahead: number; readonly aheadBytes: number };
  /** Whether as much is on its way as may be. */
  readonly full: () => boolean;
  readonly take: (cursor: Cursor, record: LogRecord, redelivered: boolean) => void;
  /** A reader has read all there was up to `head`. */
  readonly tail: (cursor: Cursor, head: number) => void;
  readonly failed: (error: unknown) => void;
}

const PAGE = 64;
const AGAIN = 1_000;

export class ReadAhead {
  readonly #parts: ReadAheadParts;
  readonly #closing = new AbortController();
  readonly #mains: Cursor[] = [];
  /** Every cursor's loop; a cursor that is not here any more is read no further. */
  readonly #loops = new Map<Cursor, Promise<void>>();
  #items = 0;
  #bytes = 0;
  #waiting: (() => void)[] = [];
  /** Grows with each going back: a page asked for before it comes too early. */
  #turn = 0;

  constructor(parts: ReadAheadParts) {
    this.#parts = parts;
  }

  async start(): Promise<void> {
    const { log, readers } = this.#parts;
    for (const reader of readers) this.#mains.push(await log.cursor({ ...reader, from: 'start', durable: true }));
    for (const [i, cursor] of this.#mains.entries()) this.#begin(cursor, { earlier: readers.slice(0, i).map((reader) => reader.filter), paused: () => false });
  }

  /** One more reader; while `paused` it takes nothing. */
  adopt(cursor: Cursor, paused: () => boolean): void {
    this.#begin(cursor, { earlier: [], paused });
  }

  async retire(cursor: Cursor): Promise<void> {
    this.#loops.delete(cursor);
    await cursor.close();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.makeRoom();
    await Promise.all(this.#loops.values());
    await Promise.all([...new Set([...this.#mains, ...this.#loops.keys()])].map((cursor) => cursor.close()));
  }

  queued(entry: Entry): void {
    this.#items++;
    this.#bytes += entry.bytes;
  }

  unqueued(entry: Entry): void {
    this.#items--;
    this.#bytes -= entry.bytes;
  }

  /** Lets the loops look whether they may go on. */
  makeRoom(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  /** What is not done of the cursor is read again, in order. */
  rewind(cursor: Cursor): void {
    this.#turn++;
    cursor.rewind();
    this.makeRoom();
  }

  /** These are read again, in order, before anything that follows them. */
  again(entries: readonly Entry[]): void {
    this.#turn++;
    for (const entry of entries.toSorted((a, b) => a.seq - b.seq)) entry.cursor.again(entry.seq);
    this.makeRoom();
  }

  #begin(cursor: Cursor, options: { readonly earlier: readonly string[]; readonly paused: () => boolean }): void {
    // Entered before it runs, so that it is not taken for one that was retired.
    this.#loops.set(cursor, Promise.resolve());
    this.#loops.set(cursor, this.#loop(cursor, options));
  }

  async #loop(cursor: Cursor, { earlier, paused }: { readonly earlier: readonly string[]; readonly paused: () => boolean }): Promise<void> {
    const { limits, full, take, tail, failed, log } = this.#parts;
    const { signal } = this.#closing;
    while (!signal.aborted && this.#loops.has(cursor)) {
      try {
        if (paused() || this.#items >= limits.ahead || this.#bytes >= limits.aheadBytes || full()) {
          await new Promise<void>((resolve) => { this.#waiting.push(resolve); });
          continue;
        }
        const turn = this.#turn;
        const { head } = log;
        const deliveries = await cursor.next(PAGE);
        if (!this.#loops.has(cursor)) return;
        if (turn !== this.#turn) {
          // Something before it is read again: it must wait its turn.
          for (const { record } of deliveries) cursor.again(record.seq);
          continue;
        }
        if (deliveries.length === 0) {
          tail(cursor, head);
          await cursor.wait(signal);
        }
        for (const { record, redelivered } of deliveries) {
          if (earlier.some((filter) => matches(filter, record.topic))) cursor.done(record.seq);
          else take(cursor, record, redelivered);
        }
      } catch (error) {
        if (signal.aborted || !this.#loops.has(cursor)) return;
        failed(error);
        await this.#pause();
      }
    }
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
