import { hasWildcard, matcher } from './filter.ts';
import { decodeIndex } from './index-row.ts';
import { garbageKey, getSeq, getU32, indexKey } from './keys.ts';
import { PAGE_RECORDS } from './limits.ts';
import type { ProgressRow } from './progress-row.ts';
import type { Reading } from './reading.ts';
import type { LogState } from './state.ts';
import type { Topic } from './topics.ts';
import type { View } from './view.ts';

/** Where a new cursor begins; `kept`: with all there is, also what was taken back and waits for other readers. */
export type CursorFrom = 'new' | 'last' | 'start' | 'kept' | { readonly seq: number } | { readonly time: number };

/** Holes between the newest records of the topics; the smallest beyond them are read, so that older records come too. */
const MAX_BETWEEN = 1000;
/** Holes that a reader may begin with; what is taken back beyond them it gets, and then that it was. */
const MAX_WITHOUT = 900;

/** Where a new cursor begins. */
export class Start {
  readonly #state: LogState;
  readonly #reading: Reading;
  readonly #view: View;

  constructor(state: LogState, reading: Reading, view: View) {
    this.#state = state;
    this.#reading = reading;
    this.#view = view;
  }

  /** What a new cursor has behind it. */
  async at(filter: string, from: CursorFrom): Promise<ProgressRow> {
    const { head } = this.#state;
    if (from === 'new') return begin(head);
    if (from === 'kept') return begin(0);
    if (from === 'start') return this.#after(filter, 0);
    if (from === 'last') return only(await this.#last(filter, head), head);
    if ('seq' in from) return this.#after(filter, Math.min(head, Math.max(0, from.seq - 1)));
    return this.#after(filter, await this.#reading.seqAt(from.time) - 1);
  }

  /** All above that position, but for items that were taken back or are over: those may still be there for readers that came before. */
  async #after(filter: string, position: number): Promise<ProgressRow> {
    const topics = new Set(this.#matching(filter).map(({ no }) => no));
    const done: [number, number][] = [];
    let next = position + 1;
    for (let more = topics.size > 0; more && done.length < MAX_WITHOUT;) {
      const rows = await this.#reading.range({ gte: garbageKey(next), lt: garbageKey(this.#state.head + 1), limit: PAGE_RECORDS });
      const found = rows.map(([key, value]) => ({ seq: getSeq(key, 1), no: getU32(value, 0) }));
      const wanted = found.filter(({ no }) => topics.has(no));
      const indexes = await this.#reading.getMany(wanted.map(({ no, seq }) => indexKey(no, seq)));
      for (const [i, { seq }] of wanted.entries()) {
        const row = indexes[i];
        if (!row || decodeIndex(row).state !== 'retracted') continue;
        const last = done.at(-1);
        if (last?.[1] === seq - 1) last[1] = seq;
        else done.push([seq, seq]);
      }
      next = (found.at(-1)?.seq ?? 0) + 1;
      more = rows.length === PAGE_RECORDS;
    }
    return { ...begin(position), done: done.slice(0, MAX_WITHOUT) };
  }

  /** The newest of each topic; one that has a newer one since then gets that anyway. */
  async #last(filter: string, head: number): Promise<number[]> {
    const seqs: number[] = [];
    for (const topic of this.#matching(filter)) seqs.push(...await this.#view.newest(topic, 1));
    return seqs.filter((seq) => seq <= head).toSorted((a, b) => a - b);
  }

  #matching(filter: string): Topic[] {
    if (!hasWildcard(filter)) {
      const topic = this.#state.topics.byName.get(filter);
      return topic?.stored ? [topic] : [];
    }
    const match = matcher(filter);
    return [...this.#state.topics.stored()].filter((topic) => match(topic.name));
  }
}

function begin(position: number): ProgressRow {
  return { position, handed: position, done: [] };
}

/** Only these of what there is up to `head`; of more holes than a reader may begin with, the largest. */
function only(seqs: readonly number[], head: number): ProgressRow {
  const position = (seqs[0] ?? head + 1) - 1;
  const holes = seqs.map((seq, i): [number, number] => [seq + 1, (seqs[i + 1] ?? head + 1) - 1]).filter(([from, to]) => from <= to);
  const largest = holes.toSorted(([a, b], [c, d]) => (d - c) - (b - a)).slice(0, MAX_BETWEEN);
  return { position, handed: position, done: largest.toSorted(([a], [b]) => a - b) };
}
