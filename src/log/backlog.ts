import { type Durable, HeldTopic } from './durable.ts';
import { FilterTree } from './filter-tree.ts';
import { hasWildcard } from './filter.ts';
import { LostTally, type LostTopics } from './lost-topics.ts';
import type { ProgressRow } from './progress-row.ts';
import type { Reading } from './reading.ts';
import type { LogRecord } from './record.ts';
import type { LogState } from './state.ts';
import type { Topic } from './topics.ts';

/** Pages that are looked through for one record. */
const FEW = 16;
/** Topics, times what lies between what is done of them, that are looked at one by one. */
const FEW_LOOKS = 1024;
/** So many topics are asked one by one for their first record. */
const FEW_TOPICS = 64;

/**
 * How much is before durable cursors, as it is now: from counters and the index, never by reading what there
 * is. One for a list of them: which topics each filter matches is found once, in one pass.
 */
export class Backlog {
  readonly #state: LogState;
  readonly #reading: Reading;
  readonly #durables: ReadonlyMap<string, Durable>;
  #matches: ReadonlyMap<string, readonly Topic[]> | undefined;

  constructor(state: LogState, reading: Reading, durables: ReadonlyMap<string, Durable>) {
    this.#state = state;
    this.#reading = reading;
    this.#durables = durables;
  }

  /** Records that match and are not confirmed, from the ordinals in the index. */
  async pending(durable: Durable): Promise<number> {
    return await this.#sum(durable, false) + this.#state.asides.wanted(durable.name).length;
  }

  /** Of those, what is not even confirmed for now. */
  left(durable: Durable): Promise<number> {
    return this.#sum(durable, true);
  }

  async #sum(durable: Durable, open: boolean): Promise<number> {
    let sum = await this.#own(durable, open);
    for (const held of durable.held.values()) if (held.until === Infinity) sum += await this.#own(held, open);
    return sum;
  }

  /** Of which topics those are: as many topics as a gap names are looked at. */
  async topics(durable: Durable): Promise<LostTopics> {
    const tally = new LostTally();
    let left = await this.pending(durable);
    for (const one of [durable, ...durable.held.values()]) {
      if (one instanceof HeldTopic && one.until !== Infinity) continue;
      const done = settled(one, one.done);
      for (const { topic, after } of this.#mine(one)) {
        if (tally.full) break;
        const { from, to, count } = await this.#waiting(topic, Math.max(one.position, after), done);
        if (count === 0) continue;
        tally.add(topic.name, from, to, count);
        left -= count;
      }
    }
    if (left > 0) tally.add(undefined, durable.base + 1, this.#state.head, left);
    return tally.found;
  }

  /** Records of one topic above `position`, but for what is done: how many, and which are the first and the last. */
  async #waiting(topic: Topic, position: number, done: ProgressRow['done']): Promise<{ from: number; to: number; count: number }> {
    const sum = { from: 0, to: 0, count: 0 };
    for (const [from, to] of between(position + 1, topic.last, done)) {
      const count = await this.#reading.left(topic, from, to);
      if (count === 0) continue;
      if (sum.count === 0) sum.from = await this.#firstOf(topic, from, to, false);
      sum.to = await this.#firstOf(topic, from, to, true);
      sum.count += count;
    }
    return sum;
  }

  async #firstOf(topic: Topic, from: number, to: number, reverse: boolean): Promise<number> {
    const [row] = await this.#reading.index(topic, { from, to, limit: 1, reverse });
    return row?.seq ?? (reverse ? to : from);
  }

  /** About how many bytes those have: each counts as the mean of its topic. */
  async bytes(durable: Durable): Promise<number> {
    let bytes = 0;
    for (const one of [durable, ...durable.held.values()]) {
      if (one instanceof HeldTopic && one.until !== Infinity) continue;
      if (!hasWildcard(one.filter)) {
        bytes += await this.#ofOne(one);
        continue;
      }
      const mine = this.#mine(one).filter(({ topic }) => topic.last > one.base);
      for (const { topic, after } of mine) {
        const from = Math.max(one.base, after) + 1;
        const held = await this.#reading.left(topic, topic.first, topic.last);
        if (held > 0) bytes += topic.bytes * (topic.first >= from ? 1 : await this.#reading.left(topic, from, topic.last) / held);
      }
    }
    return Math.round(bytes);
  }

  /** Of a reader of one topic: much may be done above what is not. */
  async #ofOne(durable: Durable): Promise<number> {
    const topic = this.#mine(durable)[0]?.topic;
    if (!topic || topic.last <= durable.base) return 0;
    const held = await this.#reading.left(topic, topic.first, topic.last);
    return held > 0 ? topic.bytes * Math.min(1, await this.#own(durable, false) / held) : 0;
  }

  /** The first record that is not confirmed; `open`: not even for now. */
  async oldest(durable: Durable, open: boolean = false): Promise<LogRecord | undefined> {
    let oldest: LogRecord | undefined;
    for (const one of [durable, ...durable.held.values()]) {
      if (one instanceof HeldTopic && one.until !== Infinity) continue;
      const topics = this.#mine(one).map(({ topic }) => topic);
      const first = open ? await this.#firstOpen(one, topics) : await this.#first(topics, one.base + 1);
      if (first && (!oldest || first.seq < oldest.seq)) oldest = first;
    }
    return oldest;
  }

  async #firstOpen({ base, holder, row }: Durable, topics: readonly Topic[]): Promise<LogRecord | undefined> {
    const taken = holder ? holder.progress.ranges(true) : row.done;
    let from = base + 1;
    for (let tries = 0; tries < FEW; tries++) {
      const record = await this.#first(topics, from);
      const range = record && taken.find(([first, last]) => first <= record.seq && record.seq <= last);
      if (!range) return record;
      from = range[1] + 1;
    }
    return undefined;
  }

  async #first(all: readonly Topic[], from: number): Promise<LogRecord | undefined> {
    const topics = all.filter(({ last }) => last >= from);
    if (topics.length <= FEW_TOPICS) {
      const rows = await Promise.all(topics.map((topic) => this.#reading.index(topic, { from: Math.max(from, topic.first), to: topic.last, limit: 1 })));
      const seqs = [...rows.flat().map(({ seq }) => seq), ...this.#state.gaps.filter((gap) => gap >= from).slice(0, 1)];
      return seqs.length === 0 ? undefined : (await this.#reading.bySeqs([Math.min(...seqs)]))[0];
    }
    let next = from;
    for (let pages = 0; pages < FEW && next <= this.#state.head; pages++) {
      const page = await this.#reading.page(topics, next, this.#state.head, 1);
      if (page.records[0]) return page.records[0];
      next = page.next;
    }
    return undefined;
  }

  async #own(durable: Durable, open: boolean): Promise<number> {
    const { holder, row } = durable;
    const mine = this.#mine(durable);
    const done = settled(durable, holder ? holder.progress.ranges(open) : row.done);
    if (!hasWildcard(durable.filter)) return this.#between(mine[0]?.topic, durable.position, done);
    // Open: what it has read is known, and counting begins behind that. Else from the position on.
    const from = holder ? holder.progress.scan : row.position + 1;
    const behind = mine.filter(({ topic }) => topic.last >= from);
    if (behind.some(({ topic }) => topic.settings.lane === 'latest') && behind.length * (done.length + 1) <= FEW_LOOKS) {
      let left = holder ? (open ? holder.progress.open : holder.progress.pending) : 0;
      for (const { topic, after } of behind) left += await this.#between(topic, Math.max(from - 1, after), done);
      return left;
    }
    let sum = holder ? (open ? holder.progress.open : holder.progress.pending) - holder.progress.doneAhead : -(row.above ?? 0);
    for (const { topic, after } of mine) {
      if (topic.last < from) continue;
      sum += await this.#reading.count(topic, Math.max(from, after + 1), topic.last);
      if (topic.settings.lane === 'latest') sum -= await this.#replaced(topic, Math.max(from, after + 1), done);
    }
    for (const { to, count } of durable.lost) if (to >= from) sum -= count;
    return Math.max(0, sum);
  }

  /** Records of one topic above `position`, but for what is done. */
  async #between(topic: Topic | undefined, position: number, done: ProgressRow['done']): Promise<number> {
    let sum = 0;
    if (topic) for (const [from, to] of between(position + 1, topic.last, done)) sum += await this.#reading.left(topic, from, to);
    return sum;
  }

  /** Records of one topic from there on that nobody gets any more, because newer ones have their places; but for what is done. */
  async #replaced(topic: Topic, first: number, done: ProgressRow['done']): Promise<number> {
    let sum = 0;
    for (const [from, to] of between(first, topic.last, done)) sum += await this.#reading.count(topic, from, to) - await this.#reading.left(topic, from, to);
    return sum;
  }

  /** The topics it reads itself, and the position after which. */
  #mine(durable: Durable): { readonly topic: Topic; readonly after: number }[] {
    return this.#matching(durable.filter).map((topic) => ({ topic, after: durable.heldUntil(topic.name) })).filter(({ after }) => after !== Infinity);
  }

  #matching(filter: string): readonly Topic[] {
    if (hasWildcard(filter)) return (this.#matches ??= this.#match()).get(filter) ?? [];
    const topic = this.#state.topics.byName.get(filter);
    return topic?.stored ? [topic] : [];
  }

  #match(): Map<string, Topic[]> {
    const found = new Map<string, Topic[]>();
    const tree = new FilterTree<Topic[]>();
    for (const { filter } of this.#durables.values()) {
      if (!hasWildcard(filter) || found.has(filter)) continue;
      const topics: Topic[] = [];
      found.set(filter, topics);
      tree.add(filter, topics);
    }
    for (const topic of this.#state.topics.stored()) for (const topics of tree.of(topic.name)) topics.push(topic);
    return found;
  }
}

/** What lies from there to there, but for what is done. */
export function* between(first: number, last: number, done: ProgressRow['done']): Generator<readonly [from: number, to: number]> {
  let from = first;
  for (const [start, end] of done) {
    if (start > last) break;
    if (start > from) yield [from, start - 1];
    from = Math.max(from, end + 1);
  }
  if (from <= last) yield [from, last];
}

/** What is done of it, and what it lost. */
export function settled({ lost }: Durable, done: ProgressRow['done']): ProgressRow['done'] {
  if (lost.length === 0) return done;
  return [...done, ...lost.map(({ from, to }) => [from, to] as const)].toSorted(([a], [b]) => a - b);
}
