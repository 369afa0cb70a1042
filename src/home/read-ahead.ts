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
  readonly failed: (error: unknown) => void;
}

const PAGE = 64;
const AGAIN = 1_000;

export class ReadAhead {
  readonly #parts: ReadAheadParts;
  readonly #closing = new AbortController();
  #cursors: Cursor[] = [];
  #loops: Promise<void>[] = [];
  #items = 0;
  #bytes = 0;
  #waiting: (() => void)[] = [];

  constructor(parts: ReadAheadParts) {
    this.#parts = parts;
  }

  async start(): Promise<void> {
    const { log, readers } = this.#parts;
    for (const reader of readers) this.#cursors.push(await log.cursor({ ...reader, from: 'start', durable: true }));
    this.#loops = this.#cursors.map((cursor, i) => this.#loop(cursor, readers.slice(0, i).map((reader) => reader.filter)));
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.makeRoom();
    await Promise.all(this.#loops);
    await Promise.all(this.#cursors.map((cursor) => cursor.close()));
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

  /** What is not done of a topic is read again, in order, with everything else its readers have not done. */
  rewind(topic: string): void {
    for (const cursor of this.#cursors) if (matches(cursor.filter, topic)) cursor.rewind();
  }

  async #loop(cursor: Cursor, earlier: readonly string[]): Promise<void> {
    const { limits, full, take, failed, clock } = this.#parts;
    const { signal } = this.#closing;
    while (!signal.aborted) {
      try {
        if (this.#items >= limits.ahead || this.#bytes >= limits.aheadBytes || full()) {
          await new Promise<void>((resolve) => { this.#waiting.push(resolve); });
          continue;
        }
        const deliveries = await cursor.next(PAGE);
        if (deliveries.length === 0) await cursor.wait(signal);
        for (const { record, redelivered } of deliveries) {
          if (earlier.some((filter) => matches(filter, record.topic))) cursor.done(record.seq);
          else take(cursor, record, redelivered);
        }
      } catch (error) {
        if (signal.aborted) return;
        failed(error);
        await new Promise<void>((resolve) => {
          const timer = clock.after(AGAIN, resolve);
          signal.addEventListener('abort', () => {
            timer.stop();
            resolve();
          }, { once: true });
        });
      }
    }
  }
}
