import { hasWildcard, matcher } from './filter.ts';
import type { ProgressRow } from './progress-row.ts';
import type { Reading } from './reading.ts';
import type { LogState } from './state.ts';
import type { Topic } from './topics.ts';
import type { View } from './view.ts';

/** Where a new cursor begins. */
export type CursorFrom = 'new' | 'last' | 'start' | { readonly seq: number } | { readonly time: number };

const MAX_LAST = 1000;

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
    if (from === 'start') return begin(0);
    if (from === 'last') return only(await this.#last(filter), head);
    if ('seq' in from) return begin(Math.min(head, Math.max(0, from.seq - 1)));
    return begin(await this.#reading.seqAt(from.time) - 1);
  }

  async #last(filter: string): Promise<number[]> {
    const seqs: number[] = [];
    for (const topic of this.#matching(filter)) seqs.push(...await this.#view.newest(topic, 1));
    return seqs.toSorted((a, b) => a - b).slice(-MAX_LAST);
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

/** Only these of what there is up to `head`. */
function only(seqs: readonly number[], head: number): ProgressRow {
  const position = (seqs[0] ?? head + 1) - 1;
  const done = seqs.map((seq, i): [number, number] => [seq + 1, (seqs[i + 1] ?? head + 1) - 1]);
  return { position, handed: position, done: done.filter(([from, to]) => from <= to) };
}
