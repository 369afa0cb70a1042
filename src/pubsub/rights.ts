// Who stands how to a topic: one row a topic in the log's registry, all in memory, in force when it is on disk. Not in
// the topic's own settings: those are written again with every batch that touches the topic, and told to its readers.
import type { Affiliation } from '../api.ts';
import type { Clock } from '../clock.ts';
import { LanpostError } from '../errors.ts';
import { validTopic } from '../log/filter.ts';
import type { Registry } from '../log/registry.ts';
import { WriteBehind } from '../write-behind.ts';
import { type Address, isAddress } from './actor.ts';
import { AFFILIATIONS } from './affiliation.ts';

const PREFIX = 'access/';
/** In one topic, and in all. */
const ENTRIES = 1000;
const ALL_ENTRIES = 100_000;

/** A change that waits for its turn, or is on its way to the disk. */
interface Change { readonly topic: string; readonly forgotten: Set<string> }

type Row = Readonly<Record<string, Affiliation>>;
const EMPTY: Row = {};

function isRow(value: unknown): value is Row {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && Object.values(value).every((one) => AFFILIATIONS.includes(one));
}

/** Whether a topic's rights may be kept so; what is imported is told apart by it. */
export function isAccessRow(key: string, value: unknown): boolean {
  return key.startsWith(PREFIX) && validTopic(key.slice(PREFIX.length)) && isRow(value) && Object.keys(value).every(isAddress);
}

export interface RightsParts {
  readonly registry: Registry;
  readonly clock: Clock;
  /** A topic that was deleted, or never came to be, leaves no rights to whoever makes one of that name. */
  readonly isLive: (topic: string) => boolean;
  /** Something went wrong with nobody there to be told. */
  readonly trouble: (message: string) => void;
}

export class Rights {
  readonly #registry: Registry;
  readonly #rows = new Map<string, Row>();
  /** The topics in which something is said of somebody. */
  readonly #byAddress = new Map<string, Set<string>>();
  /** One change of a topic after the other. */
  readonly #turns = new Map<string, Promise<unknown>>();
  readonly #changes = new Set<Change>();
  /** Topics that are gone, while that is being written: nothing is said of them any more. */
  readonly #ended = new Set<string>();
  /** Topics in which somebody was forgotten, and still is on disk. */
  readonly #behind: WriteBehind;
  #entries = 0;
  /** Those on their way to the disk. */
  #coming = 0;

  constructor({ registry, clock, isLive, trouble }: RightsParts) {
    this.#registry = registry;
    this.#behind = new WriteBehind({ clock, failed: (error) => trouble(`Affiliations that were taken back are still on disk: ${error instanceof Error ? error.message : String(error)}`) });
    for (const [key, row] of registry.entries(PREFIX)) {
      const topic = key.slice(PREFIX.length);
      if (isRow(row) && isLive(topic)) this.#put(topic, row);
      // When this fails, so does all writing, also that of a topic of the same name.
      else registry.set(key, undefined).catch(() => undefined);
    }
  }

  affiliation(topic: string, address: Address | undefined): Affiliation {
    const row = this.#rows.get(topic);
    return (row && address !== undefined && Object.hasOwn(row, address) ? row[address] : undefined) ?? 'none';
  }

  /** Nobody in it has `none`. */
  of(topic: string): [Address, Affiliation][] {
    return Object.entries(this.#rows.get(topic) ?? EMPTY).flatMap(([address, affiliation]) => (isAddress(address) ? [[address, affiliation]] : []));
  }

  /** One change after the other: `alter` makes of what is said what is to be said, or throws. Durable when resolved. */
  async change(topic: string, alter: (row: Map<string, Affiliation>) => unknown): Promise<void> {
    const asked: Change = { topic, forgotten: new Set() };
    this.#changes.add(asked);
    const change = (this.#turns.get(topic) ?? Promise.resolve()).then(() => this.#change(asked, alter)).finally(() => this.#changes.delete(asked));
    // Whoever asked sees it.
    const settled: Promise<unknown> = change.catch(() => undefined).finally(() => { if (this.#turns.get(topic) === settled) this.#turns.delete(topic); });
    this.#turns.set(topic, settled);
    await change;
  }

  /** The topic is gone: at once nobody is anything in it any more. Durable when resolved. */
  async end(topic: string): Promise<void> {
    this.#ended.add(topic);
    this.#put(topic, EMPTY);
    await this.change(topic, (row) => row.clear()).finally(() => this.#ended.delete(topic));
  }

  async #change({ topic, forgotten }: Change, alter: (row: Map<string, Affiliation>) => unknown): Promise<void> {
    const said = this.#rows.get(topic) ?? EMPTY;
    const map = new Map(Object.entries(said));
    alter(map);
    for (const [address, affiliation] of map) if (affiliation === 'none' || forgotten.has(address)) map.delete(address);
    const more = Math.max(0, map.size - Object.keys(said).length);
    if (more > 0 && (map.size > ENTRIES || this.#entries + this.#coming + more > ALL_ENTRIES)) {
      throw new LanpostError('busy', `a topic may have ${ENTRIES} affiliations, all topics together ${ALL_ENTRIES}`);
    }
    const row = Object.fromEntries(map);
    this.#coming += more;
    try {
      await this.#registry.set(PREFIX + topic, map.size === 0 ? undefined : row);
    } finally {
      this.#coming -= more;
    }
    if (this.#ended.has(topic)) return;
    // Who was forgotten meanwhile stays so.
    this.#put(topic, Object.fromEntries(Object.entries(row).filter(([address]) => !forgotten.has(address))));
  }

  topicsOf(address: Address): { topic: string; affiliation: Affiliation }[] {
    return Array.from(this.#byAddress.get(address) ?? [], (topic) => ({ topic, affiliation: this.affiliation(topic, address) }));
  }

  /** Of all topics, at once, also what it is only about to become. Durable when resolved. Rejected: it holds all the same, and storing it is tried until it is done. */
  async forget(address: Address): Promise<void> {
    const changes = [...this.#changes];
    for (const { forgotten } of changes) forgotten.add(address);
    const topics = new Set([...this.topicsOf(address), ...changes].map(({ topic }) => topic));
    await Promise.all(Array.from(topics, async (topic) => {
      this.#put(topic, Object.fromEntries(Object.entries(this.#rows.get(topic) ?? EMPTY).filter(([other]) => other !== address)));
      const store = (): Promise<void> => this.change(topic, () => undefined);
      await store().catch((error: unknown) => {
        this.#behind.later(topic, store);
        throw error;
      });
    }));
  }

  /** Writes what is still only in memory. */
  async close(): Promise<void> {
    await this.#behind.close();
  }

  #put(topic: string, row: Row): void {
    const before = this.#rows.get(topic) ?? EMPTY;
    const addresses = Object.keys(row);
    this.#entries += addresses.length - Object.keys(before).length;
    for (const address of Object.keys(before)) if (!Object.hasOwn(row, address)) this.#left(address, topic);
    for (const address of addresses) {
      const topics = this.#byAddress.get(address) ?? new Set();
      this.#byAddress.set(address, topics.add(topic));
    }
    if (addresses.length === 0) this.#rows.delete(topic);
    else this.#rows.set(topic, row);
  }

  #left(address: string, topic: string): void {
    const topics = this.#byAddress.get(address);
    topics?.delete(topic);
    if (topics?.size === 0) this.#byAddress.delete(address);
  }
}
