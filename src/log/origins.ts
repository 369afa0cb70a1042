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
/** Marks of one box remembered for each topic: every opening of its store begins one for each chain. */
const MAX_MARKS = 64;

/**
 * The mark after a record was taken, or undefined when it had been taken before. A record that
 * names a predecessor above the mark shows a hole: those between may still come by another road.
 */
export function take(mark: Mark | undefined, seq: number, previous: number | undefined): Mark | undefined {
  const high = mark?.high ?? 0;
  const holes = mark?.holes ?? [];
  if (seq > high) {
    if (previous === undefined || previous <= high) return { high: seq, holes };
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

export class Origins {
  readonly #marks = new Map<string, Mark>();
  /** Per box and topic, the names of its marks. */
  readonly #epochs = new Map<string, string[]>();

  load(rows: readonly Row[]): void {
    this.#marks.clear();
    this.#epochs.clear();
    for (const [key, value] of rows) {
      const [high, ...flat] = decodeRow<number[]>(value);
      const holes: [number, number][] = [];
      for (let i = 0; i + 1 < flat.length; i += 2) holes.push([flat[i]!, flat[i + 1]!]);
      this.set(keyText(key), { high: high ?? 0, holes });
    }
  }

  get(key: string): Mark | undefined {
    return this.#marks.get(key);
  }

  set(key: string, mark: Mark): void {
    if (!this.#marks.has(key)) {
      const [group, names] = this.#group(key);
      names.push(key);
      this.#epochs.set(group, names.toSorted((a, b) => counterOf(a) - counterOf(b)));
    }
    this.#marks.set(key, mark);
  }

  delete(key: string): void {
    this.#marks.delete(key);
    const [group, names] = this.#group(key);
    this.#epochs.set(group, names.filter((name) => name !== key));
  }

  /** The oldest epochs' marks that a new one for `key` pushes out. */
  outdated(key: string): string[] {
    if (this.#marks.has(key)) return [];
    const [, names] = this.#group(key);
    return names.slice(0, Math.max(0, names.length + 1 - MAX_MARKS));
  }

  #group(key: string): [string, string[]] {
    const [box = '', , topic = ''] = key.split('\0');
    const group = `${box}\0${topic}`;
    return [group, this.#epochs.get(group) ?? []];
  }
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
