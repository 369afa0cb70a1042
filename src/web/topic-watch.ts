import type { Box, Item, TopicInfo } from '../index.ts';
import type { WebLimits } from './limits.ts';
import { preview } from './preview.ts';

export interface ShownTopic {
  readonly name: string;
  readonly title?: string;
  readonly items: number;
  readonly bytes: number;
  readonly storage: string;
  readonly lane: string;
  /** Records a second. */
  readonly rate: number;
  readonly last?: { readonly time: number; readonly timeTrusted: boolean; readonly value: string; readonly contentType: string; readonly publisher?: string };
}
export interface ShownTopics {
  readonly total: number;
  /** Of them, those that have the words that are looked for. */
  readonly found: number;
  readonly rate: number;
  readonly rows: readonly ShownTopic[];
}

interface Pace { readonly records: number; readonly at: number; readonly rate: number }
type Last = NonNullable<ShownTopic['last']>;

/** Milliseconds over which a rate is told. */
const SMOOTHED = 8000;
/** Topics whose newest item is asked for at once. */
const AT_ONCE = 8;

/** Topics with their rates and last values, from one look to the next. */
export class TopicWatch {
  readonly #box: Pick<Box, 'topics' | 'items'>;
  readonly #limits: WebLimits;
  #paces: Map<string, Pace> = new Map();
  #lasts: Map<string, { readonly seq: number; readonly last: Last | undefined }> = new Map();

  constructor(box: Pick<Box, 'topics' | 'items'>, limits: WebLimits) {
    this.#box = box;
    this.#limits = limits;
  }

  /** What is shown to whoever looks for these words; without words, all. */
  async look(searches: Iterable<string>, now: number): Promise<Map<string, ShownTopics>> {
    const topics = await this.#box.topics.list();
    this.#paces = new Map(topics.map(({ name, records }) => [name, pace(this.#paces.get(name), records, now)]));
    const chosen = new Map([...new Set(searches)].map((search) => [search, this.#choose(topics, search)]));
    await this.#readLasts(new Map([...chosen.values()].flatMap(({ rows }) => rows.map((topic) => [topic.name, topic]))));
    const rate = [...this.#paces.values()].reduce((sum, one) => sum + one.rate, 0);
    return new Map([...chosen].map(([search, { found, rows }]) => [search, { total: topics.length, found, rate, rows: rows.map((topic) => this.#shown(topic)) }]));
  }

  /** The ones with the newest records, in the order of their names: a row stays where it is. */
  #choose(topics: readonly TopicInfo[], search: string): { found: number; rows: TopicInfo[] } {
    const words = search.toLowerCase().split(/\s+/).filter(Boolean);
    const fits = ({ name, title }: TopicInfo): boolean => words.every((word) => name.toLowerCase().includes(word) || title?.toLowerCase().includes(word));
    const found = words.length === 0 ? topics : topics.filter(fits);
    const newest = found.length <= this.#limits.topics ? found : found.toSorted((a, b) => b.lastSeq - a.lastSeq).slice(0, this.#limits.topics);
    return { found: found.length, rows: newest.toSorted((a, b) => (a.name < b.name ? -1 : 1)) };
  }

  async #readLasts(topics: ReadonlyMap<string, TopicInfo>): Promise<void> {
    const before = this.#lasts;
    this.#lasts = new Map();
    const changed: TopicInfo[] = [];
    for (const [name, topic] of topics) {
      const known = before.get(name);
      if (known?.seq === topic.lastSeq) this.#lasts.set(name, known);
      else changed.push(topic);
    }
    const queue = changed.values();
    await Promise.all(Array.from({ length: AT_ONCE }, async () => {
      for (const topic of queue) this.#lasts.set(topic.name, { seq: topic.lastSeq, last: await this.#lastOf(topic) });
    }));
  }

  async #lastOf({ name, items }: TopicInfo): Promise<Last | undefined> {
    if (items === 0) return undefined;
    const [newest] = await this.#box.items(name, { last: 1 }).catch(() => []); // it was deleted meanwhile
    return newest?.kind === 'item' ? this.#said(newest) : undefined;
  }

  #said({ time, timeTrusted, value, contentType, publisher }: Item): Last {
    return { time, timeTrusted, value: preview(value, this.#limits.valueCharacters), contentType, ...publisher === undefined ? {} : { publisher } };
  }

  #shown({ name, title, items, bytes, storage, lane }: TopicInfo): ShownTopic {
    const last = this.#lasts.get(name)?.last;
    return { name, ...title === undefined ? {} : { title }, items, bytes, storage, lane, rate: round(this.#paces.get(name)?.rate ?? 0), ...last ? { last } : {} };
  }
}

/** A mean in which the past fades; begins with nothing, for of the time before the first look nothing is known. */
function pace(before: Pace | undefined, records: number, now: number): Pace {
  if (!before || now <= before.at) return { records, at: now, rate: before?.rate ?? 0 };
  const span = now - before.at;
  const current = Math.max(0, records - before.records) * 1000 / span;
  const weight = 1 - Math.exp(-span / SMOOTHED);
  const rate = before.rate + (current - before.rate) * weight;
  return { records, at: now, rate: rate < 0.005 ? 0 : rate };
}

/** Three digits are what can be read while it changes. */
function round(rate: number): number {
  return Number(rate.toPrecision(3));
}
