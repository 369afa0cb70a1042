import { decodeRow, encodeRow } from './cbor.ts';
import type { Op, Row } from './database.ts';
import { keyText, originKey } from './keys.ts';
import type { Origin } from './record.ts';

/** What was taken of one topic of one epoch of another box: all up to `high`, but for the holes. */
export interface Mark {
  readonly high: number;
  readonly holes: readonly (readonly [from: number, to: number])[];
}

const MAX_HOLES = 256;
/** Marks of one box remembered for each topic that is kept for it: every opening of its store begins one for each chain. */
const MAX_MARKS = 64;
/** Marks remembered for each source: more than the topics there may be. What they name, its peer chooses. */
const SOURCE_MARKS = 131_072;
/** What a mark weighs beside its holes, each of which weighs 1: in memory some 60 bytes. */
const MARK_WEIGHT = 8;
/** Pushed out of one source with one batch, which may hold a thousand records. */
const MOST_AT_ONCE = 4096;

/**
 * The mark after a record was taken, or undefined when it had been taken before. A record that
 * names a predecessor above the mark shows a hole: those between may still come by another road.
 */
export function take(mark: Mark | undefined, seq: number, previous: number | undefined): Mark | undefined {
  const high = mark?.high ?? 0;
  const holes = mark?.holes ?? [];
  if (seq > high) {
    // One that names itself, or what comes after it, would have holes above the mark: what lies there would be taken twice.
    if (previous === undefined || previous <= high || previous >= seq) return { high: seq, holes };
    // Bounded: the oldest hole is given up first.
    return { high: seq, holes: [...holes.slice(-(MAX_HOLES - 1)), [high + 1, previous]] };
  }
  const at = holes.findIndex(([from, to]) => from <= seq && seq <= to);
  if (at < 0) return undefined;
  const [from, to] = holes[at]!;
  // In a hole too, a predecessor tells which part is now known to hold nothing of this topic.
  const below: [number, number] = [from, previous === undefined ? seq - 1 : Math.min(previous, seq - 1)];
  const parts = [below, [seq + 1, to] as const].filter(([start, end]) => start <= end);
  return { high, holes: [...holes.slice(0, at), ...parts, ...holes.slice(at + 1)].slice(-MAX_HOLES) };
}

/** Whether the record was taken: not so in a hole, whatever is above it. */
export function isTaken(mark: Mark | undefined, seq: number): boolean {
  return mark !== undefined && seq <= mark.high && !mark.holes.some(([from, to]) => from <= seq && seq <= to);
}

/** Marks of the topics of one source, longest unused first, and what they weigh together. */
interface Source {
  readonly marks: Map<string, Mark>;
  weight: number;
}

export class Origins {
  readonly #sources = new Map<string, Source>();
  /** Per box and topic, the names of its marks. */
  readonly #epochs = new Map<string, string[]>();
  readonly #most: number;

  /** `marks`: remembered for each source. */
  constructor(marks: number = SOURCE_MARKS) {
    this.#most = marks * MARK_WEIGHT;
  }

  load(rows: readonly Row[]): void {
    this.#sources.clear();
    this.#epochs.clear();
    const marks = rows.map(([key, value]): [string, Mark] => {
      const [high, ...flat] = decodeRow<number[]>(value);
      const holes: [number, number][] = [];
      for (let i = 0; i + 1 < flat.length; i += 2) holes.push([flat[i]!, flat[i + 1]!]);
      return [keyText(key), { high: high ?? 0, holes }];
    });
    // When each was used last is not known: later epochs were later.
    for (const [key, mark] of marks.toSorted(([a], [b]) => counterOf(a) - counterOf(b))) this.set(key, mark);
  }

  get(key: string): Mark | undefined {
    return this.#sources.get(sourceOf(key))?.marks.get(key);
  }

  set(key: string, mark: Mark): void {
    const name = sourceOf(key);
    const source = this.#sources.get(name) ?? { marks: new Map<string, Mark>(), weight: 0 };
    this.#sources.set(name, source);
    const before = source.marks.get(key);
    if (before) {
      source.marks.delete(key);
      source.weight -= weightOf(before);
    } else {
      const [group, names] = this.#group(key);
      names.push(key);
      this.#epochs.set(group, names.toSorted((a, b) => counterOf(a) - counterOf(b)));
    }
    source.marks.set(key, mark);
    source.weight += weightOf(mark);
  }

  delete(key: string): void {
    const name = sourceOf(key);
    const source = this.#sources.get(name);
    const mark = source?.marks.get(key);
    if (!source || !mark) return;
    source.marks.delete(key);
    source.weight -= weightOf(mark);
    if (source.marks.size === 0) this.#sources.delete(name);
    const [group, names] = this.#group(key);
    const left = names.filter((other) => other !== key);
    if (left.length > 0) this.#epochs.set(group, left);
    else this.#epochs.delete(group);
  }

  /** What is pushed out when those of `keys` are set, some of them for the first time. */
  outdated(keys: Iterable<string>): Set<string> {
    const kept = new Set(keys);
    const out = new Set<string>();
    const growth = new Map<string, number>();
    for (const key of kept) {
      const source = sourceOf(key);
      const known = this.#sources.get(source)?.marks.has(key) ?? false;
      growth.set(source, (growth.get(source) ?? 0) + (known ? 0 : MARK_WEIGHT));
      if (known) continue;
      // What was imported into topics of this box stays known, from however many openings it comes (archive.ts).
      if (!topicOf(key).startsWith('$')) continue;
      const [, names] = this.#group(key);
      for (const name of names.slice(0, Math.max(0, names.length + 1 - MAX_MARKS))) if (!kept.has(name)) out.add(name);
    }
    for (const [name, more] of growth) this.#lighten(name, more, kept, out);
    return out;
  }

  /** The longest unused give way: whoever sends marks without end loses its own. */
  #lighten(name: string, more: number, kept: ReadonlySet<string>, out: Set<string>): void {
    const source = this.#sources.get(name);
    if (!source) return;
    let over = source.weight + more - this.#most;
    let left = MOST_AT_ONCE;
    for (const [key, mark] of source.marks) {
      if (over <= 0 || left-- === 0) return;
      if (kept.has(key)) continue;
      out.add(key);
      over -= weightOf(mark);
    }
  }

  #group(key: string): [string, string[]] {
    const [box = '', , topic = ''] = key.split('\0');
    const group = `${box}\0${topic}`;
    return [group, this.#epochs.get(group) ?? []];
  }
}

function weightOf({ holes }: Mark): number {
  return MARK_WEIGHT + holes.length;
}

function topicOf(key: string): string {
  const at = key.indexOf('\0', key.indexOf('\0') + 1) + 1;
  const end = key.indexOf('\0', at);
  return key.slice(at, end < 0 ? undefined : end);
}

/** Where a mark's records came from: the first two levels of its topic. */
function sourceOf(key: string): string {
  const topic = topicOf(key);
  const second = topic.indexOf('/', topic.indexOf('/') + 1);
  return second < 0 ? topic : topic.slice(0, second);
}

/** Epoch names begin with a counter. */
function counterOf(key: string): number {
  return Number.parseInt(key.split('\0')[1] ?? '', 10) || 0;
}

export function originName({ box, epoch, chain }: Pick<Origin, 'box' | 'epoch' | 'chain'>, topic: string): string {
  return chain === undefined ? `${box}\0${epoch}\0${topic}` : `${box}\0${epoch}\0${topic}\0${chain}`;
}

export function originOp(name: string, mark: Mark): Op {
  return { key: originKey(name), value: encodeRow([mark.high, ...mark.holes.flat()]) };
}
