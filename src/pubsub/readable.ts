import { hasWildcard } from '../log/filter.ts';
import { LostTally } from '../log/lost-topics.ts';
import type { LogRecord } from '../log/record.ts';

export interface ReadableParts {
  /** Changes whenever what somebody may read may be another; undefined: nobody can say. */
  readonly generation: () => number | undefined;
  /** The same, of what the owner has said of peers; topics aside. */
  readonly trusted: () => number | undefined;
  /** How often it was said, while it was there, who may read it: of what was last seen before that nothing holds. */
  readonly said: (topic: string) => number;
  /** What a topic's owner has said of it; the same object as long as it is the same. */
  readonly settings: (topic: string) => object | undefined;
  /** Whether that record of it is of another topic that had its name before. */
  readonly precedes: (topic: string, seq: number) => boolean;
  /** Whether that name may be read, whatever topic has it. */
  readonly granted: (topic: string) => boolean;
  readonly may: (topicOrFilter: string) => boolean;
  /** Whether there is anything of it at all that may be read. */
  readonly maySome: (filter: string) => boolean;
}

/** Topics of one filter remembered at once. */
const REMEMBERED = 10_000;

interface Last { readonly said: number; readonly may: boolean }
interface Known extends Last { readonly settings: object | undefined }

/** What one reader may read of its filter: asked for each record, answered from memory as long as nothing has changed. */
export class Readable {
  readonly #parts: ReadableParts;
  readonly #filter: string;
  readonly #topics = new Map<string, Known>();
  /** What could be read of topics when they were last seen: of one that is deleted this holds for what is left of it. */
  readonly #last = new Map<string, Last>();
  #generation: number | undefined;
  #trusted: number | undefined;
  #some = false;

  constructor(filter: string, parts: ReadableParts) {
    this.#filter = filter;
    this.#parts = parts;
  }

  /** Whether there is anything that may be read. */
  get some(): boolean {
    if (!hasWildcard(this.#filter)) return this.topic(this.#filter);
    this.#look();
    // What opens a topic need not be told here; what closes the last one leaves its records out.
    this.#some ||= this.#parts.maySome(this.#filter);
    return this.#some;
  }

  /** What is said of a topic opens nothing of one that was there before it. */
  record({ topic, seq }: Pick<LogRecord, 'topic' | 'seq'>): boolean {
    return this.topic(topic) && (!this.#parts.precedes(topic, seq) || this.#parts.granted(topic));
  }

  topic(name: string): boolean {
    this.#look();
    const settings = this.#parts.settings(name);
    const said = this.#parts.said(name);
    const known = this.#topics.get(name);
    if (known && known.settings === settings && known.said === said && this.#generation !== undefined) return known.may;
    const last = this.#last.get(name);
    const may = this.#parts.may(name) || (settings === undefined && last?.may === true && last.said === said);
    if (this.#topics.size >= REMEMBERED) this.#topics.clear();
    if (this.#last.size >= REMEMBERED) this.#last.clear();
    this.#last.set(name, { said, may });
    this.#topics.set(name, { settings, said, may });
    return may;
  }

  /** The record as it may be told: what is lost of topics that may not be read is told without their names. */
  told(record: LogRecord): LogRecord {
    const { gap } = record;
    if (!gap?.topics || gap.topics.every(({ topic }) => this.topic(topic))) return record;
    const tally = new LostTally({ ...(gap.others && { others: gap.others }), topics: [] });
    for (const { topic, from, to, count } of gap.topics) tally.add(this.topic(topic) ? topic : undefined, from, to, count);
    return { ...record, gap: { ...gap, ...tally.found } };
  }

  #look(): void {
    const trusted = this.#parts.trusted();
    if (trusted !== this.#trusted) this.#last.clear();
    this.#trusted = trusted;
    const generation = this.#parts.generation();
    if (generation !== undefined && generation === this.#generation) return;
    this.#generation = generation;
    this.#topics.clear();
    this.#some = false;
  }
}
