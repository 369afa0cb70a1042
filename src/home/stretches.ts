// Where a topic is read on before what lies behind it: its records go in order within such a stretch, and not across them. Kept
// on disk from before the first of a stretch is sent until all before it has settled: what can be concluded of records that may
// be at home already, from others that are or are not, holds within one stretch.
import type { Registry } from '../log/registry.ts';

/** Stretches of one topic; one that has as many goes on in order. */
export const MAX_STRETCHES = 16;

/** One of them, as it goes. */
export class Stretch {
  /** Seq of its first record. */
  readonly from: number;
  /** Records from before this process may be there already; up to here it is known which. */
  probed = 0;
  /** The newest of them that is there, where that is known. */
  sent: number = Infinity;
  /** Of them, what is not there up to here was, and has been let go. */
  through = 0;
  /** Up to here records may have been sent one by one: they never go into a pack. */
  sentAlone = 0;

  constructor(from: number) {
    this.from = from;
  }
}

/** Between home and topic in a key: neither has one. */
const BAR = '\n';

function prefixOf(reader: string): string {
  return `stretch:${reader}${BAR}`;
}

export class Stretches {
  readonly #registry: Registry;
  readonly #prefix: string;
  /** Topic to where its later stretches begin, in order. */
  readonly #byTopic = new Map<string, readonly number[]>();

  constructor(registry: Registry, reader: string) {
    this.#registry = registry;
    this.#prefix = prefixOf(reader);
    for (const [key, row] of registry.entries(this.#prefix)) {
      // Written by this program alone.
      if (Array.isArray(row)) this.#byTopic.set(key.slice(this.#prefix.length), row.map(Number));
    }
  }

  get topics(): string[] {
    return [...this.#byTopic.keys()];
  }

  of(topic: string): readonly number[] {
    return this.#byTopic.get(topic) ?? [];
  }

  /** Resolves when the disk knows that another begins there; false when there are too many. */
  async begin(topic: string, from: number): Promise<boolean> {
    const known = this.of(topic);
    if (known.length + 1 >= MAX_STRETCHES) return false;
    await this.#set(topic, [...known, from]);
    return true;
  }

  /** All of the topic up to `position` has settled; `flush` has the disk know that, in the batch that forgets and no later. */
  async settled(topic: string, position: number, flush: () => Promise<void>): Promise<void> {
    const known = this.of(topic);
    const left = known.filter((from) => from > position + 1);
    if (left.length < known.length) await Promise.all([flush(), this.#set(topic, left)]);
  }

  /** Known at once: one more than the disk knows does no harm. */
  async #set(topic: string, all: readonly number[]): Promise<void> {
    if (all.length > 0) this.#byTopic.set(topic, all);
    else this.#byTopic.delete(topic);
    await this.#registry.set(`${this.#prefix}${topic}`, all.length > 0 ? [...all] : undefined);
  }
}

/** The rows of one reader as those of another, which goes on with what that has done. */
export function stretchesAs(registry: Registry, from: string, to: string): [key: string, value: unknown][] {
  return registry.entries(prefixOf(from)).map(([key, row]) => [prefixOf(to) + key.slice(prefixOf(from).length), row]);
}

/** The home is gone. */
export async function forgetStretches(registry: Registry, reader: string): Promise<void> {
  for (const [key] of registry.entries(prefixOf(reader))) await registry.set(key, undefined);
}
