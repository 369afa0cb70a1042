import { type Durable, HeldTopic } from './durable.ts';
import { hasWildcard, matcher } from './filter.ts';
import type { ProgressRow } from './progress-row.ts';
import type { Reading } from './reading.ts';
import type { LogRecord } from './record.ts';
import type { LogState } from './state.ts';
import type { Topic } from './topics.ts';
import type { View } from './view.ts';

/** Where a new cursor begins. */
export type CursorFrom = 'new' | 'last' | 'start' | { readonly seq: number } | { readonly time: number };

const MAX_LAST = 1000;
/** Pages that are looked through for one record. */
const FEW = 16;

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

  /** What a new cursor has behind it. */
  async at(filter: string, from: CursorFrom): Promise<ProgressRow> {
    const { head } = this.#state;
    if (from === 'new') return begin(head);
    if (from === 'start') return begin(0);
    if (from === 'last') return only(await this.#last(filter), head);
    if ('seq' in from) return begin(Math.min(head, Math.max(0, from.seq - 1)));
    return begin(await this.#reading.seqAt(from.time) - 1);
  }

  /** Records that match and are not confirmed, from the ordinals in the index. */
  async pending(durable: Durable): Promise<number> {
    let sum = await this.#own(durable) + this.#state.asides.wanted(durable.name).length;
    for (const held of durable.held.values()) if (held.until === Infinity) sum += await this.#own(held);
    return sum;
  }

  /** About how many bytes those have: each counts as the mean of its topic. */
  async pendingBytes(durable: Durable): Promise<number> {
    let bytes = 0;
    for (const one of [durable, ...durable.held.values()]) {
      if (one instanceof HeldTopic && one.until !== Infinity) continue;
      const mine = this.#mine(one).filter(({ topic }) => topic.last > one.position);
      for (const { topic, after } of mine) {
        const from = Math.max(one.position, after) + 1;
        const held = await this.#reading.count(topic, topic.first, topic.last);
        if (held > 0) bytes += topic.bytes * (topic.first >= from ? 1 : await this.#reading.count(topic, from, topic.last) / held);
      }
    }
    return Math.round(bytes);
  }

  /** The first record that is not confirmed. */
  async oldest(durable: Durable): Promise<LogRecord | undefined> {
    let oldest: LogRecord | undefined;
    for (const one of [durable, ...durable.held.values()]) {
      if (one instanceof HeldTopic && one.until !== Infinity) continue;
      const first = await this.#first(this.#mine(one).map(({ topic }) => topic), one.position + 1);
      if (first && (!oldest || first.seq < oldest.seq)) oldest = first;
    }
    return oldest;
  }

  async #first(topics: readonly Topic[], from: number): Promise<LogRecord | undefined> {
    let next = from;
    for (let pages = 0; pages < FEW && next <= this.#state.head; pages++) {
      const page = await this.#reading.page(topics, next, this.#state.head, 1);
      if (page.records[0]) return page.records[0];
      next = page.next;
    }
    return undefined;
  }

  async #own(durable: Durable): Promise<number> {
    const { holder, row } = durable;
    const mine = this.#mine(durable);
    if (!hasWildcard(durable.filter)) return this.#between(mine[0]?.topic, durable.position, holder ? holder.progress.ranges() : row.done);
    // Open: what it has read is known, and counting begins behind that. Else from the position on.
    const from = holder ? holder.progress.scan : row.position + 1;
    let sum = holder ? holder.progress.pending - holder.progress.doneAhead : -(row.above ?? 0);
    for (const { topic, after } of mine) {
      if (topic.last >= from) sum += await this.#reading.count(topic, Math.max(from, after + 1), topic.last);
    }
    return Math.max(0, sum);
  }

  /** Records of one topic above `position`, but for what is done. */
  async #between(topic: Topic | undefined, position: number, done: ProgressRow['done']): Promise<number> {
    let sum = 0;
    let from = position + 1;
    for (const [start, end] of topic ? done : []) {
      if (topic && start > from) sum += await this.#reading.count(topic, from, start - 1);
      from = Math.max(from, end + 1);
    }
    return topic && from <= topic.last ? sum + await this.#reading.count(topic, from, topic.last) : sum;
  }

  /** The topics it reads itself, and the position after which. */
  #mine(durable: Durable): { readonly topic: Topic; readonly after: number }[] {
    return this.#matching(durable.filter).map((topic) => ({ topic, after: durable.heldUntil(topic.name) })).filter(({ after }) => after !== Infinity);
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
