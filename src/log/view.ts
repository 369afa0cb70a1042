import { LanpostError } from '../errors.ts';
import type { Ages } from './ages.ts';
import type { ItemsQuery } from './items-query.ts';
import { getSeq, idKey } from './keys.ts';
import type { Reading } from './reading.ts';
import type { LogRecord } from './record.ts';
import type { LogState } from './state.ts';
import { maxItems, overfull } from './room.ts';
import type { Topic } from './topics.ts';

const PAGE = 256;

/** What a latecomer can still ask of a topic. */
export class View {
  readonly #state: LogState;
  readonly #reading: Reading;

  readonly #ages: Ages;
  readonly #settle: (topic: Topic) => Promise<void>;

  /** `settle` has a view give up what it holds beyond what it may. */
  constructor(state: LogState, reading: Reading, ages: Ages, settle: (topic: Topic) => Promise<void>) {
    this.#state = state;
    this.#reading = reading;
    this.#ages = ages;
    this.#settle = settle;
  }

  async items(name: string, { ids, last, after, since, before, skip = 0, limit = Infinity }: ItemsQuery): Promise<LogRecord[]> {
    const topic = this.#state.topics.byName.get(name);
    if (!topic?.stored || topic.deleted) {
      if (topic?.stored) return [];
      throw new LanpostError('not-found', `There is no topic ${name}.`);
    }
    // Trimming is up to a second behind.
    await this.#settled(topic, last !== undefined && before === undefined);
    if (ids) return this.#byIds(topic, ids);
    const above = since === undefined ? after : await this.#reading.seqAt(since) - 1;
    const seqs = above === undefined
      ? await this.newest(topic, Math.min(last ?? limit, limit), before)
      : await this.#after(topic, above, limit, skip);
    return this.#reading.bySeqs(seqs);
  }

  /** Of the newest items their number can be told without trimming, and need not wait for a batch. */
  async #settled(topic: Topic, newest: boolean): Promise<void> {
    const late = newest ? topic.settings.maxBytes !== undefined && overfull(this.#state, topic) : overfull(this.#state, topic);
    if (late || this.#ages.due(topic)) await this.#settle(topic);
  }

  /** Whether a newer record of its name has taken its place, or has taken it away. */
  async isReplaced({ topic: name, seq, kind, id }: LogRecord): Promise<boolean> {
    const topic = this.#state.topics.byName.get(name);
    if (!topic?.stored) return true;
    const [index] = await this.#reading.index(topic, { from: seq, to: seq, limit: 1 });
    // In the lane `latest` one that is not there any more has made room for a newer.
    if (kind === 'publish' && (index ? index.row.state !== 'live' : topic.settings.lane === 'latest')) return true;
    const newest = id === undefined ? undefined : await this.#reading.get(idKey(topic.no, id));
    return newest !== undefined && getSeq(newest, 0) > seq;
  }

  /** How many items of the view lie below that position; undefined when there are more than `most`. */
  async place(name: string, seq: number, most: number): Promise<number | undefined> {
    const topic = this.#state.topics.byName.get(name);
    if (!topic) return 0;
    let place = 0;
    for (let from = topic.viewFrom; from < seq && place <= most;) {
      const page = await this.#reading.index(topic, { from, to: seq - 1, limit: PAGE });
      for (const { row } of page) if (row.item && row.state === 'live') place++;
      const newest = page.at(-1);
      from = newest && page.length === PAGE ? newest.seq + 1 : seq;
    }
    return place > most ? undefined : place;
  }

  /** Seqs of the newest items, oldest first. */
  async newest(topic: Topic, count: number, before?: number): Promise<number[]> {
    const wanted = Math.min(count, maxItems(this.#state, topic));
    const seqs: number[] = [];
    let to = before === undefined ? topic.last : Math.min(topic.last, before - 1);
    while (seqs.length < wanted && to >= topic.viewFrom) {
      const page = await this.#reading.index(topic, { from: topic.viewFrom, to, limit: PAGE, reverse: true });
      for (const { seq, row } of page) if (row.item && row.state === 'live' && seqs.length < wanted) seqs.push(seq);
      const oldest = page.at(-1);
      if (!oldest || page.length < PAGE) break;
      to = oldest.seq - 1;
    }
    return seqs.toReversed();
  }

  async #after(topic: Topic, after: number, limit: number, left: number): Promise<number[]> {
    const seqs: number[] = [];
    // What trimming has not got to yet is out of the view all the same.
    let skip = Math.max(0, topic.count - maxItems(this.#state, topic)) + left;
    let from = topic.viewFrom;
    if (skip === 0) from = Math.max(from, after + 1);
    while (seqs.length < limit && from <= topic.last) {
      const page = await this.#reading.index(topic, { from, to: topic.last, limit: PAGE });
      for (const { seq, row } of page) {
        if (!row.item || row.state !== 'live') continue;
        if (skip > 0) skip--;
        else if (seq > after && seqs.length < limit) seqs.push(seq);
      }
      const newest = page.at(-1);
      if (!newest || page.length < PAGE) break;
      from = newest.seq + 1;
    }
    return seqs;
  }

  async #byIds(topic: Topic, ids: readonly string[]): Promise<LogRecord[]> {
    const rows = await this.#reading.getMany(ids.map((id) => idKey(topic.no, id)));
    const seqs = new Set<number>();
    for (const [i, id] of ids.entries()) {
      const row = rows[i];
      const seq = row ? getSeq(row, 0) : this.#state.epochs.seqOf(id);
      if (seq === undefined || seq < topic.viewFrom || seq > topic.last) continue;
      const [index] = await this.#reading.index(topic, { from: seq, to: seq, limit: 1 });
      if (index?.row.item && index.row.state === 'live') seqs.add(seq);
    }
    return this.#reading.bySeqs([...seqs].toSorted((a, b) => a - b));
  }
}
