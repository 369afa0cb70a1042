import { LostTally } from './lost-topics.ts';
import type { Topic } from './topics.ts';

/** Records of which that is known: some twenty rings. */
const REMEMBERED = 131_072;

/** Of which topics the records in memory are that have left the ring, for readers that have yet to read them. */
export class Evicted {
  readonly #remembered: number;
  /** Seqs have no holes, so a seq is an index, over and over. */
  readonly #topics: Topic[] = [];
  #first = 0;
  #end = 0;

  constructor(remembered: number = REMEMBERED) {
    this.#remembered = remembered;
  }

  push(seq: number, topic: Topic): void {
    if (this.#end === 0) this.#first = seq;
    this.#topics[(seq - this.#first) % this.#remembered] = topic;
    this.#end = seq + 1;
  }

  /** What of it one reads, from there to there. Of what left too long ago nobody knows how much it was. */
  tally(from: number, to: number, matches: (topic: Topic) => boolean): LostTally {
    const tally = new LostTally();
    const known = Math.max(from, this.#end - this.#topics.length);
    if (known > from) tally.add(undefined, from, known - 1, undefined);
    for (let seq = known; seq <= to; seq++) {
      const topic = this.#topics[(seq - this.#first) % this.#remembered];
      if (topic && matches(topic)) tally.add(topic.name, seq, seq, known > from ? undefined : 1);
    }
    return tally;
  }
}
