import type { From } from '../api.ts';
import type { SubscriptionOptions } from './subscription-options.ts';

export type SubscriptionState = 'pending' | 'subscribed' | 'none';

export interface WaitingReader { readonly reader: string; readonly from: From }

/** What a client that is no box has subscribed to here (XEP-0060 §4.2). A box has a cursor that it names itself. */
export interface PeerSubscription {
  /** SubID: ours, so that no two are the same. */
  readonly id: string;
  /** The key it belongs to. */
  readonly fingerprint: string;
  /** What the subscriber calls itself; a label. */
  readonly name: string;
  /** A topic, or a subtree. */
  readonly node: string;
  /** `none` stays until the subscriber has been told. */
  readonly state: SubscriptionState;
  readonly options: SubscriptionOptions;
  /** Position in the log: what was there before is not for it. */
  readonly since: number;
  /** Whether the subscriber has to be told its state. */
  readonly untold?: true;
  /** Why nothing is delivered for now: its client sent something back. */
  readonly suspended?: string;
  /** Nothing is kept for it while it is away. */
  readonly unkept?: true;
  /** It stands for an owner's word about a box, whose readers have places of their own: it reads nothing. */
  readonly consent?: true;
  /** Of such a one: the readers that wait for it, and where each begins. */
  readonly waiting?: readonly WaitingReader[];
  /** An owner has let it, as long as there is the topic that there was then. Not so what was subscribed to by some other right. */
  readonly approved?: true;
}

type Rows = Map<string, PeerSubscription>;

/** All of them, and where each can be looked for: every record asks for those of its reader, every listing for those of a node. */
export class SubscriptionTable {
  readonly #rows: Rows = new Map();
  readonly #byKey = new Map<string, Rows>();
  /** Those that are one, or are to become one. */
  readonly #byNode = new Map<string, Rows>();
  readonly #pending: Rows = new Map();
  readonly #leased: Rows = new Map();
  #version = 0;

  get size(): number { return this.#rows.size; }

  /** Another one whenever any of them has changed. */
  get version(): number { return this.#version; }

  get(id: string): PeerSubscription | undefined {
    return this.#rows.get(id);
  }

  ofKey(fingerprint: string): Iterable<PeerSubscription> {
    return this.#byKey.get(fingerprint)?.values() ?? [];
  }

  at(node: string): Iterable<PeerSubscription> {
    return this.#byNode.get(node)?.values() ?? [];
  }

  /** What there are any to. */
  nodes(): Iterable<string> {
    return this.#byNode.keys();
  }

  count(node: string): number {
    return this.#byNode.get(node)?.size ?? 0;
  }

  pending(): Iterable<PeerSubscription> {
    return this.#pending.values();
  }

  /** Those that end at a time. */
  leased(): Iterable<PeerSubscription> {
    return this.#leased.values();
  }

  /** Of keys of which that holds. */
  countOf(fits: (fingerprint: string) => boolean): number {
    let count = 0;
    for (const [fingerprint, rows] of this.#byKey) if (fits(fingerprint)) count += rows.size;
    return count;
  }

  put(row: PeerSubscription): void {
    const { id, node, fingerprint, state } = row;
    this.#version++;
    this.#rows.set(id, row);
    add(this.#byKey, fingerprint, row);
    if (state === 'none') drop(this.#byNode, node, id);
    else add(this.#byNode, node, row);
    if (state === 'pending') this.#pending.set(id, row);
    else this.#pending.delete(id);
    if (dueOf(row) === undefined) this.#leased.delete(id);
    else this.#leased.set(id, row);
  }

  delete({ id, node, fingerprint }: PeerSubscription): void {
    this.#version++;
    for (const rows of [this.#rows, this.#pending, this.#leased]) rows.delete(id);
    drop(this.#byKey, fingerprint, id);
    drop(this.#byNode, node, id);
  }
}

/** When a lease ends by itself. */
export function dueOf({ state, options }: PeerSubscription): number | undefined {
  return state !== 'none' && typeof options.expire === 'number' ? options.expire : undefined;
}

function add(index: Map<string, Rows>, key: string, row: PeerSubscription): void {
  const rows = index.get(key) ?? new Map<string, PeerSubscription>();
  index.set(key, rows.set(row.id, row));
}

function drop(index: Map<string, Rows>, key: string, id: string): void {
  const rows = index.get(key);
  rows?.delete(id);
  if (rows?.size === 0) index.delete(key);
}
