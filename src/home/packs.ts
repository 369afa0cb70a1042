// Which records go together in one item. Kept on disk from before such an item is first sent until it has settled: sent again,
// it has the same records in it, so that no home ever has one of them twice.
import type { Registry } from '../log/registry.ts';

export interface Bundle {
  readonly id: string;
  /** Seqs of its first and last record; all that the topic has between them is in it. */
  readonly first: number;
  readonly last: number;
  readonly count: number;
  /** Of its item. */
  readonly bytes: number;
  /** The log has lost something between first and last. */
  damaged?: boolean;
}

interface Row {
  readonly key: string;
  readonly bundles: readonly Bundle[];
}

/** Between home and topic in a key: neither has one. */
const BAR = '\n';

function prefixOf(jid: string): string {
  return `pack:${jid}${BAR}`;
}

/** The packs of one home that have not settled. */
export class Packs {
  readonly #registry: Registry;
  readonly #prefix: string;
  /** In order of seq. */
  readonly #byTopic = new Map<string, Bundle[]>();
  readonly #rows = new Map<string, Row[]>();

  constructor(registry: Registry, jid: string) {
    this.#registry = registry;
    this.#prefix = prefixOf(jid);
    for (const [key, row] of registry.entries(this.#prefix)) {
      // Written by this program alone.
      const bundles: readonly Bundle[] = Array.isArray(row) ? row : [];
      this.#add(key.slice(this.#prefix.length, key.lastIndexOf(BAR)), key, bundles);
    }
    for (const bundles of this.#byTopic.values()) bundles.sort((a, b) => a.first - b.first);
  }

  get topics(): string[] {
    return [...this.#byTopic.keys()];
  }

  /** The pack that the record is in. */
  covering(topic: string, seq: number): Bundle | undefined {
    const bundles = this.#byTopic.get(topic);
    if (!bundles) return undefined;
    let low = 0;
    let high = bundles.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((bundles[middle]?.last ?? 0) < seq) low = middle + 1;
      else high = middle;
    }
    const found = bundles[low];
    return found && found.first <= seq ? found : undefined;
  }

  /** The log lost these. */
  damaged(from: number, to: number): void {
    for (const bundles of this.#byTopic.values()) for (const bundle of bundles) if (bundle.first <= to && from <= bundle.last) bundle.damaged = true;
  }

  /** Resolves when they are on disk: only then may they be sent. */
  async plan(topic: string, bundles: readonly Bundle[]): Promise<void> {
    const key = `${this.#prefix}${topic}${BAR}${bundles[0]?.first ?? 0}`;
    await this.#registry.set(key, bundles.map((bundle) => ({ ...bundle })));
    this.#add(topic, key, bundles);
  }

  /** The home will not take it as a whole. Resolves when the disk knows. */
  async dissolve(topic: string, bundle: Bundle): Promise<void> {
    this.#remove(topic, (one) => one === bundle);
    const row = this.#rows.get(topic)?.find(({ bundles }) => bundles.includes(bundle));
    if (!row) return;
    const bundles = row.bundles.filter((one) => one !== bundle);
    this.#rows.set(topic, (this.#rows.get(topic) ?? []).flatMap((one) => (one !== row ? [one] : bundles.length > 0 ? [{ key: row.key, bundles }] : [])));
    await this.#registry.set(row.key, bundles.length > 0 ? bundles : undefined);
  }

  /** All of the topic up to `position` is done; `flush` has the disk know that, in the batch that forgets them and no later. */
  async settled(topic: string, position: number, flush: () => Promise<void>): Promise<void> {
    if ((this.#byTopic.get(topic)?.[0]?.last ?? Infinity) > position) return;
    this.#remove(topic, ({ last }) => last <= position);
    const rows = this.#rows.get(topic) ?? [];
    const over = rows.filter(({ bundles }) => bundles.every(({ last }) => last <= position));
    const left = rows.filter((row) => !over.includes(row));
    if (left.length > 0) this.#rows.set(topic, left);
    else this.#rows.delete(topic);
    if (over.length === 0) return;
    await Promise.all([flush(), this.#registry.setAll(over.map(({ key }) => [key, undefined] as const))]);
  }

  #add(topic: string, key: string, bundles: readonly Bundle[]): void {
    const all = [...this.#byTopic.get(topic) ?? [], ...bundles];
    // Those of a backlog come after what went before it.
    const late = (this.#byTopic.get(topic)?.at(-1)?.first ?? 0) > (bundles[0]?.first ?? 0);
    this.#byTopic.set(topic, late ? all.toSorted((a, b) => a.first - b.first) : all);
    this.#rows.set(topic, [...this.#rows.get(topic) ?? [], { key, bundles }]);
  }

  #remove(topic: string, which: (bundle: Bundle) => boolean): void {
    const left = (this.#byTopic.get(topic) ?? []).filter((bundle) => !which(bundle));
    if (left.length > 0) this.#byTopic.set(topic, left);
    else this.#byTopic.delete(topic);
  }
}

/** The rows of one reader as those of another, which goes on with what that has done. */
export function packsAs(registry: Registry, from: string, to: string): [key: string, value: unknown][] {
  return registry.entries(prefixOf(from)).map(([key, row]) => [prefixOf(to) + key.slice(prefixOf(from).length), row]);
}

/** The home is gone. */
export async function forgetPacks(registry: Registry, jid: string): Promise<void> {
  const keys = registry.entries(prefixOf(jid)).map(([key]) => key);
  if (keys.length > 0) await registry.setAll(keys.map((key) => [key, undefined] as const));
}
