import { type PeerSubscription, type PeerSubscriptions, readsBy } from '../pubsub/peer-subscriptions.ts';

const NONE: ReadonlySet<string> = new Set();

/** What one key has subscribed to that is read by one filter: asked for several times a record, looked up when a subscription has changed. */
export class Subscribed {
  readonly #all: Pick<PeerSubscriptions, 'of' | 'version'>;
  readonly #fingerprint: string;
  readonly #filter: string;
  #version: number | undefined;
  #rows: readonly PeerSubscription[] = [];
  #several: ReadonlySet<string> = NONE;

  constructor(all: Pick<PeerSubscriptions, 'of' | 'version'>, fingerprint: string, filter: string) {
    this.#all = all;
    this.#fingerprint = fingerprint;
    this.#filter = filter;
  }

  get rows(): readonly PeerSubscription[] {
    this.#look();
    return this.#rows;
  }

  /** Whether the key has other subscriptions to the same node. */
  isOneOfSeveral({ node }: PeerSubscription): boolean {
    this.#look();
    return this.#several.has(node);
  }

  #look(): void {
    const { version } = this.#all;
    if (version === this.#version) return;
    this.#version = version;
    const own = [...this.#all.of(this.#fingerprint)].filter(({ consent }) => !consent);
    this.#rows = own.filter((row) => row.state === 'subscribed' && row.suspended === undefined && readsBy(row) === this.#filter);
    const seen = new Set<string>();
    this.#several = new Set(own.flatMap(({ node }) => (seen.size === seen.add(node).size ? [node] : [])));
  }
}
