import type { Log } from '../log/log.ts';
import type { LogRecord } from '../log/record.ts';

/** Letters of one key that lie together are counted as one, up to so many bytes. */
const RUN = 64 * 1024;
const PAGE = 256;

interface Run {
  readonly sender: string;
  bytes: number;
  /** Position of the last letter in it. */
  last: number;
}

export interface SharesParts {
  readonly log: Pick<Log, 'cursor'>;
  readonly topic: string;
  /** Whose letter it is, and what it counts for. */
  readonly weigh: (record: LogRecord) => { readonly sender: string; readonly bytes: number };
}

/**
 * What each sender has in an inbox that nobody has read yet. Kept in memory only, and counted anew from the inbox when it is
 * needed; the bound of the inbox is also the bound of this.
 */
export class InboxShares {
  readonly #parts: SharesParts;
  readonly #bytes = new Map<string, number>();
  #runs: Run[] = [];
  /** Position behind which all is counted. */
  #from = Number.POSITIVE_INFINITY;

  constructor(parts: SharesParts) {
    this.#parts = parts;
  }

  of(sender: string): number {
    return this.#bytes.get(sender) ?? 0;
  }

  /** Letters come that are not counted. */
  forget(): void {
    this.#bytes.clear();
    this.#runs = [];
    this.#from = Number.POSITIVE_INFINITY;
  }

  /** Whether `count` has nothing to read for it. */
  covers(position: number): boolean {
    return position >= this.#from;
  }

  /** Counts what lies behind that position. Where it has to be read, none may be on its way to the disk. */
  async count(position: number): Promise<void> {
    if (this.covers(position)) {
      this.#passed(position);
      return;
    }
    this.forget();
    const { log, topic, weigh } = this.#parts;
    const cursor = await log.cursor({ name: `shares:${topic}`, filter: topic, from: { seq: position + 1 }, durable: false });
    try {
      for (;;) {
        const page = await cursor.next(PAGE);
        if (page.length === 0) break;
        for (const { record } of page) {
          cursor.done(record.seq);
          if (record.kind !== 'publish') continue;
          const { sender, bytes } = weigh(record);
          this.reserve(sender, bytes);
          this.kept(sender, bytes, record.seq);
        }
      }
    } finally {
      await cursor.close();
    }
    this.#from = position;
  }

  /** A letter is on its way to the disk: `kept` or `free` must follow. */
  reserve(sender: string, bytes: number): void {
    this.#bytes.set(sender, this.of(sender) + bytes);
  }

  kept(sender: string, bytes: number, seq: number): void {
    const newest = this.#runs.at(-1);
    if (newest?.sender === sender && newest.bytes + bytes <= RUN) {
      newest.bytes += bytes;
      newest.last = Math.max(newest.last, seq);
    } else this.#runs.push({ sender, bytes, last: seq });
  }

  free(sender: string, bytes: number): void {
    const left = this.of(sender) - bytes;
    if (left > 0) this.#bytes.set(sender, left);
    else this.#bytes.delete(sender);
  }

  #passed(position: number): void {
    this.#from = position;
    const still = this.#runs.findIndex(({ last }) => last > position);
    for (const { sender, bytes } of this.#runs.splice(0, still < 0 ? this.#runs.length : still)) this.free(sender, bytes);
  }
}
