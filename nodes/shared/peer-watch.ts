import { setTimeout as sleep } from 'node:timers/promises';
import type { Box, Peer, SubscriptionInfo } from '../../src/index.ts';
import type { Asked } from './asked.ts';

/** How often the box is asked. */
const EVERY_MS = 5000;
/** Digits of a fingerprint by which a peer may be called. */
const KEY = /^[0-9a-f]{16,64}$/;

/** Whether a peer that is read from is there, and lets us: what is read of it here says nothing of that. */
export class PeerWatch {
  readonly #at: string;
  readonly #isOf: (reader: SubscriptionInfo) => boolean;
  readonly #asked: Asked;
  readonly #changed: () => void;
  #isAway: boolean | undefined;
  #key: string | undefined;
  #approval: 'pending' | 'none' | undefined;

  constructor(parts: {
    readonly at: string;
    /** Whether it is the reader's line in the list. */
    readonly isOf: (reader: SubscriptionInfo) => boolean;
    readonly asked: Asked;
    readonly changed: () => void;
  }) {
    this.#at = parts.at.replace(/^link:/, '');
    this.#isOf = parts.isOf;
    this.#asked = parts.asked;
    this.#changed = parts.changed;
  }

  /** It is not known yet how it stands. */
  get isNew(): boolean {
    return this.#isAway === undefined;
  }

  /** This box has no stream to it. */
  get isAway(): boolean {
    return this.#isAway === true;
  }

  /** What its owner has not said yet, or has refused. */
  get approval(): 'pending' | 'none' | undefined {
    return this.#approval;
  }

  /** Looks now and then, until `signal` says that it is enough. */
  async watch(box: Box, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.look(box, signal);
      await sleep(EVERY_MS, undefined, { signal, ref: false }).catch(() => undefined); // aborted: the loop ends
    }
  }

  async look(box: Box, signal: AbortSignal): Promise<void> {
    const [peers, readers] = await this.#asked.answer(Promise.all([box.peers.list(), box.subscriptions.list()]));
    if (signal.aborted) return;
    const sources = readers.flatMap((reader) => (reader.source !== undefined && this.#isOf(reader) ? [reader.source] : []));
    const [source] = sources;
    // It is its key, whatever it goes by meanwhile.
    this.#key = source?.fingerprint ?? this.#key ?? peers.find((peer) => this.#isCalled(peer))?.fingerprint;
    this.#isAway = !peers.some((peer) => peer.connected && (this.#key === undefined ? this.#isCalled(peer) : peer.fingerprint === this.#key));
    // Live ones that read the same are told apart by nobody: what one was refused another may have asked for again since, for all of them.
    this.#approval = sources.some(({ approval }) => approval === 'pending') ? 'pending' : source?.approval;
    this.#changed();
  }

  #isCalled({ name, fingerprint = '' }: Peer): boolean {
    return name === this.#at || (KEY.test(this.#at) && fingerprint.startsWith(this.#at));
  }
}
