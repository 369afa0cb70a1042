import type { Cursor } from '../log/cursor.ts';
import type { Log } from '../log/log.ts';
import type { End, Receipts } from './receipts.ts';

interface Ending {
  readonly end: End;
  readonly why: string;
  /** Absent: that failed. */
  writing?: Promise<void> | undefined;
}

export interface EndingsParts {
  readonly cursor: Cursor;
  readonly receipts: Receipts;
  readonly noteLoss: Log['noteLoss'];
  readonly report: (error: unknown) => void;
}

/** How letters to one address ended, until that is on disk: a log that takes nothing for a while sends nobody a letter twice. */
export class Endings {
  readonly #parts: EndingsParts;
  /** By position. */
  readonly #open = new Map<number, Ending>();

  constructor(parts: EndingsParts) {
    this.#parts = parts;
  }

  /** Resolves when it is on disk, or that has failed: `written` tries again. */
  async add(seq: number, end: End, why: string): Promise<void> {
    // What is said of it last counts, also on disk.
    const before = this.#open.get(seq)?.writing;
    if (before) await before.catch(() => undefined); // whoever said that is told
    const ending: Ending = { end, why };
    this.#open.set(seq, ending);
    await this.#write(seq, ending).catch(this.#parts.report);
  }

  /** Whether the log has taken what it would not take before. */
  async written(): Promise<boolean> {
    try {
      for (const [seq, ending] of this.#open) if (!ending.writing) await this.#write(seq, ending);
      return true;
    } catch (error) {
      this.#parts.report(error);
      return false;
    }
  }

  /** Of a letter that is handed out once more: whether it is over, and that is being written, or was before the process was killed. */
  has(seq: number): boolean {
    if (this.#open.has(seq)) return true;
    const { cursor, receipts } = this.#parts;
    if (receipts.end({ topic: cursor.filter, seq }) === undefined) return false;
    cursor.done(seq);
    return true;
  }

  /** What the log would not take may be taken by now. */
  async close(): Promise<void> {
    await Promise.allSettled([...this.#open].map(([seq, ending]) => this.#write(seq, ending)));
  }

  #write(seq: number, ending: Ending): Promise<void> {
    ending.writing ??= this.#note(seq, ending).finally(() => { ending.writing = undefined; });
    return ending.writing;
  }

  async #note(seq: number, ending: Ending): Promise<void> {
    const { cursor, noteLoss, receipts } = this.#parts;
    const { end, why } = ending;
    await receipts.ended({ topic: cursor.filter, seq }, end, why);
    if (end === 'expired') await noteLoss({ reader: cursor.name, topic: cursor.filter, from: seq, to: seq, count: 1, reason: 'expired' });
    if (this.#open.get(seq) === ending) this.#open.delete(seq);
    cursor.done(seq);
  }
}
