import type { Durable } from './durable.ts';
import { matcher } from './filter.ts';
import type { CursorFrom } from './log.ts';
import type { ProgressRow } from './progress.ts';
import type { Reading } from './reading.ts';
import type { LogState } from './state.ts';
import type { Topic } from './topics.ts';
import type { View } from './view.ts';

const MAX_LAST = 1000;

/** Where a new cursor begins, and how much is before one. */
export class Start {
  readonly #state: LogState;
  readonly #reading: Reading;
  readonly #view: View;

  constructor(state: LogState, reading: Reading, view: View) {
    this.#state = state;
    this.#reading = reading;
    this.#view = view;
  }

  /** The position, and records to hand out although they lie before it. */
  async at(filter: string, from: CursorFrom): Promise<{ row: ProgressRow; first: number[] }> {
    const { head } = this.#state;
    if (from === 'new') return begin(head);
    if (from === 'start') return begin(0);
    if (from === 'last') return begin(head, await this.#last(filter));
    if ('seq' in from) return begin(Math.min(head, Math.max(0, from.seq - 1)));
    return begin(await this.#reading.seqAt(from.time) - 1);
  }

  /** Records that match and are not confirmed, from the ordinals in the index. */
  async pending({ filter, position, holder }: Durable): Promise<number> {
    let sum = -(holder?.progress.doneAbove ?? 0);
    for (const topic of this.#matching(filter)) {
      if (topic.last <= position) continue;
      const [next] = await this.#reading.index(topic, { from: position + 1, to: topic.last, limit: 1 });
      if (next) sum += topic.ordinal - next.row.ordinal + 1;
    }
    return Math.max(0, sum);
  }

  async #last(filter: string): Promise<number[]> {
    const seqs: number[] = [];
    for (const topic of this.#matching(filter)) seqs.push(...await this.#view.newest(topic, 1));
    return seqs.toSorted((a, b) => a - b).slice(-MAX_LAST);
  }

  #matching(filter: string): Topic[] {
    const match = matcher(filter);
    return [...this.#state.topics.stored()].filter((topic) => match(topic.name));
  }
}

function begin(position: number, first: number[] = []): { row: ProgressRow; first: number[] } {
  return { row: { position, handed: position, done: [] }, first };
}
