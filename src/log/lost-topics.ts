// Of which topics the records were that a reader of several topics lost.
import type { GapRange, GapTopic } from '../api.ts';

/** Topics that one gap names; the records of all others are counted together. */
const NAMED = 32;
/** Bytes that their names have together, at most: they stand in a row that is written anew with each drop, and in a stanza. */
const NAME_BYTES = 4096;

export interface LostTopics {
  /** In the order in which they lost something first. */
  readonly topics?: readonly GapTopic[];
  /** Records of topics that are not named. */
  readonly others?: GapRange;
}

/** As they stand in a row: topics, then the others. */
export type LostTopicsRow = [topics?: readonly [topic: string, from: number, to: number, count: number | undefined][], others?: [from: number, to: number, count: number | undefined]];

/** How many there are and between which positions; `count`: undefined once it is not known of some. */
interface Sum { from: number; to: number; count: number | undefined }

/** Counts by topic, however many records there are and of however many topics. */
export class LostTally {
  readonly #named = new Map<string, Sum>();
  readonly #grown = new Set<Sum>();
  #all: Sum | undefined;
  #others: Sum | undefined;
  #bytes = 0;

  /** It goes on with what was counted `before`. */
  constructor(before: LostTopics = {}) {
    for (const { topic, from, to, count } of before.topics ?? []) this.#name(topic, { from, to, count });
    if (before.others) this.#others = { ...before.others, count: before.others.count };
  }

  /** `topic`: undefined where nobody knows; `count`: where nobody knows that. */
  add(topic: string | undefined, from: number, to: number, count: number | undefined): void {
    this.#all = more(this.#all, from, to, count);
    const known = topic === undefined ? undefined : this.#named.get(topic);
    if (known) this.#grown.add(more(known, from, to, count));
    else if (topic !== undefined && this.#hasRoomFor(topic)) this.#grown.add(this.#name(topic, { from, to, count }));
    else this.#grown.add(this.#others = more(this.#others, from, to, count));
  }

  /** All of a gap; one that does not say which topics it is of is of none that is known. */
  take({ topics, others, ...gap }: GapRange & LostTopics): this {
    for (const { topic, from, to, count } of topics ?? []) this.add(topic, from, to, count);
    const rest = topics ? others : gap;
    if (rest) this.add(undefined, rest.from, rest.to, rest.count);
    return this;
  }

  /** Whether another topic would not be named. */
  get full(): boolean {
    return this.#named.size >= NAMED;
  }

  /** Of all that was added. */
  get range(): GapRange | undefined {
    return this.#all && rangeOf(this.#all);
  }

  get found(): LostTopics {
    return this.#told(() => true);
  }

  /** What of it is more than it was before. */
  get grown(): LostTopics {
    return this.#told((sum) => this.#grown.has(sum));
  }

  #told(isAsked: (sum: Sum) => boolean): LostTopics {
    const topics: GapTopic[] = [];
    for (const [topic, sum] of this.#named) if (isAsked(sum)) topics.push({ topic, ...rangeOf(sum) });
    return { topics, ...(this.#others && isAsked(this.#others) && { others: rangeOf(this.#others) }) };
  }

  #hasRoomFor(topic: string): boolean {
    return this.#named.size < NAMED && this.#bytes + Buffer.byteLength(topic) <= NAME_BYTES;
  }

  #name(topic: string, sum: Sum): Sum {
    this.#bytes += Buffer.byteLength(topic);
    this.#named.set(topic, sum);
    return sum;
  }
}

/** Of the row of a gap, what comes after the rest; nothing when nothing is known. */
export function lostTopicsRow({ topics, others }: LostTopics): LostTopicsRow {
  if (!topics) return [];
  const named = topics.map(({ topic, from, to, count }): [string, number, number, number | undefined] => [topic, from, to, count]);
  return others ? [named, [others.from, others.to, others.count]] : [named];
}

export function lostTopicsOf([topics, others]: LostTopicsRow): LostTopics {
  if (!topics) return {};
  return {
    topics: topics.map(([topic, from, to, count]) => ({ topic, ...rangeOf({ from, to, count }) })),
    ...(others && { others: rangeOf({ from: others[0], to: others[1], count: others[2] }) }),
  };
}

/** Of a gap in several topics, what is of some of them, or may be; undefined when nothing is. */
export function gapWithin({ topics = [], others, count }: Pick<GapRange, 'count'> & LostTopics, fits: (topic: string) => boolean): LostTopics & { readonly count?: number } | undefined {
  const mine = topics.filter(({ topic }) => fits(topic));
  if (mine.length === 0 && !others) return undefined;
  return { topics: mine, ...(count !== undefined && { count: count - countOf(topics) + countOf(mine) }) };
}

function countOf(topics: readonly GapTopic[]): number {
  return topics.reduce((all, { count = 0 }) => all + count, 0);
}

/** Of two gaps that are one now. */
export function gapInAll(before: GapRange & LostTopics, next: GapRange & LostTopics): GapRange & LostTopics {
  const { range, found } = [before, next].reduce((tally, gap) => tally.take(gap), new LostTally());
  return { from: before.from, to: next.to, ...range, ...((before.topics ?? next.topics) && found) };
}

function rangeOf({ from, to, count }: Sum): GapRange {
  return { from, to, ...(count !== undefined && { count }) };
}

/** In place: this is done for each record. */
function more(sum: Sum | undefined, from: number, to: number, count: number | undefined): Sum {
  if (!sum) return { from, to, count };
  if (from < sum.from) sum.from = from;
  if (to > sum.to) sum.to = to;
  sum.count = sum.count === undefined || count === undefined ? undefined : sum.count + count;
  return sum;
}
