import { decodeRow, encodeRow } from './cbor.ts';
import { getU32 } from './keys.ts';
import { isInMemory } from './memory-seq.ts';
import type { TopicSettings } from './record.ts';
import type { Reader } from './reader.ts';

/** What the log knows of a topic. */
export interface TopicState {
  readonly no: number;
  readonly name: string;
  readonly settings: TopicSettings;
  /** The view begins here: what can be queried. */
  readonly viewFrom: number;
  /** Nothing below this is held. */
  readonly first: number;
  /** Newest record, 0 for none. */
  readonly last: number;
  /** Items in the view. */
  readonly count: number;
  /** Bytes of the items in the view. */
  readonly viewBytes: number;
  /** Bytes of all records held. */
  readonly bytes: number;
  /** Records ever appended. */
  readonly ordinal: number;
  readonly deleted: boolean;
  /** Its last deletion, 0 for none: what is held from before is of a topic that had the same name. */
  readonly ended: number;
  /** Whether that record of it, on disk or in memory, is of a topic that had the name before. */
  precedes(seq: number): boolean;
  /** Items of the lane `latest` that went for a newer one before every reader had them. */
  readonly replaced: number;
}

/** What a batch changes of a topic. */
export type TopicChange = { -readonly [K in Exclude<keyof TopicState, 'no' | 'name' | 'precedes'>]: TopicState[K] };

export class Topic implements TopicState {
  readonly no: number;
  readonly name: string;
  settings: TopicSettings = {};
  viewFrom = 0;
  first = 0;
  last = 0;
  count = 0;
  viewBytes = 0;
  bytes = 0;
  ordinal = 0;
  deleted = false;
  ended = 0;
  replaced = 0;
  /** Whether its row is on disk. */
  stored = false;
  /** Readers that match, once somebody asked (see readers.ts). */
  readers: { readonly version: number; readonly list: readonly Reader[] } | undefined;

  constructor(no: number, name: string) {
    this.no = no;
    this.name = name;
  }

  /** It lives on disk: what is in memory is from before. */
  precedes(seq: number): boolean {
    return seq < this.ended || isInMemory(seq);
  }
}

export function copyTopic(t: TopicState): TopicChange {
  return {
    settings: t.settings, viewFrom: t.viewFrom, first: t.first, last: t.last,
    count: t.count, viewBytes: t.viewBytes, bytes: t.bytes, ordinal: t.ordinal, deleted: t.deleted, ended: t.ended, replaced: t.replaced,
  };
}

export function encodeTopic(name: string, t: TopicChange): Uint8Array {
  return encodeRow([name, t.settings, t.viewFrom, t.first, t.last, t.count, t.bytes, t.ordinal, t.deleted, t.replaced, t.viewBytes, t.ended]);
}

type TopicRow = [string, TopicSettings, number, number, number, number, number, number, boolean, number | undefined, number | undefined, number | undefined];

export function decodeTopic(row: Uint8Array): TopicChange & { readonly name: string } {
  const [name, settings, viewFrom, first, last, count, bytes, ordinal, deleted, replaced = 0, viewBytes = 0, ended = 0] = decodeRow<TopicRow>(row);
  return { name, settings, viewFrom, first, last, count, viewBytes, bytes, ordinal, deleted, ended, replaced };
}

/** The topics by name and by number. */
export class Topics {
  readonly byName: Map<string, Topic> = new Map();
  readonly byNo: Map<number, Topic> = new Map();
  /** Changes whenever there are other topics. */
  version = 0;
  /** How many have their row on disk. */
  count = 0;
  #next = 1;

  /** A topic that gets its row with the batch being built. */
  allocate(name: string): Topic {
    this.version++;
    const topic = new Topic(this.#next++, name);
    this.byName.set(name, topic);
    this.byNo.set(topic.no, topic);
    return topic;
  }

  /** Its row is on disk. */
  keep(topic: Topic): void {
    if (!topic.stored) this.count++;
    topic.stored = true;
  }

  /** The number that the next one gets. */
  get next(): number {
    return this.#next;
  }

  remove(topic: Topic): void {
    this.version++;
    if (topic.stored) this.count--;
    topic.stored = false;
    this.byName.delete(topic.name);
    this.byNo.delete(topic.no);
  }

  /** From disk. After a reopening the objects stay, since readers hold them. */
  load(rows: readonly (readonly [Uint8Array, Uint8Array])[], next: number = 1): void {
    this.version++;
    this.#next = Math.max(this.#next, next);
    const old = new Map(this.byNo);
    this.byName.clear();
    this.byNo.clear();
    this.count = rows.length;
    for (const [key, value] of rows) {
      const no = getU32(key, 1);
      const { name, ...state } = decodeTopic(value);
      const known = old.get(no);
      const topic = known?.name === name ? known : new Topic(no, name);
      Object.assign(topic, state, { stored: true, readers: undefined });
      this.byName.set(name, topic);
      this.byNo.set(no, topic);
      this.#next = Math.max(this.#next, no + 1);
    }
  }

  *stored(): IterableIterator<Topic> {
    for (const topic of this.byName.values()) if (topic.stored) yield topic;
  }
}
