import type { Topic } from './topics.ts';

/** Where a record is, as the index has it; without a topic a gap that concerns all. */
export interface Found { readonly seq: number; readonly size: number; readonly topic?: Topic }

/** All records of some topics up to `bound`, in order. */
export interface Merged { readonly found: readonly Found[]; readonly bound: number }

interface Leftover extends Merged { readonly topics: ReadonlySet<Topic>; readonly epoch: string }

/** Readers of whom it is remembered. */
const REMEMBERED = 8;

/**
 * What was found of several topics for a page, and did not fit into it: the next page begins with that. Of a hundred topics
 * each is asked for a few records at least, and a page takes one or two of each.
 */
export class Leftovers {
  /** By where the page begins. */
  readonly #left = new Map<number, Leftover>();

  /** `epoch`: of the database, which may be another one when it has been opened again. */
  keep(from: number, topics: readonly Topic[], epoch: string, { found, bound }: Merged): void {
    // In the lane `latest` an item may be replaced before its page is read.
    if (found.length === 0 || topics.some(({ settings }) => settings.lane === 'latest')) return;
    const [oldest] = this.#left.keys();
    if (oldest !== undefined && this.#left.size >= REMEMBERED) this.#left.delete(oldest);
    this.#left.set(from, { topics: new Set(topics), epoch, found, bound });
  }

  /** What of it still holds for a page of these topics from there up to `to`. */
  take(from: number, to: number, topics: readonly Topic[], epoch: string): Merged | undefined {
    const left = this.#left.get(from);
    if (!left) return undefined;
    this.#left.delete(from);
    const holds = left.epoch === epoch && topics.every((topic) => left.topics.has(topic) && topic.settings.lane !== 'latest');
    if (!holds) return undefined;
    const asked = new Set(topics);
    const found = left.found.filter(({ seq, topic }) => seq <= to && (!topic || (asked.has(topic) && seq >= topic.first)));
    return { found, bound: Math.min(left.bound, to) };
  }
}
