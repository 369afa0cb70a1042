import { setTimeout as sleep } from 'node:timers/promises';
import type { Box, Peer } from '../../src/index.ts';
import type { Asked } from './asked.ts';

/** How often the box is asked. */
const EVERY_MS = 5000;
/** Digits of a fingerprint by which a peer may be called. */
const KEY = /^[0-9a-f]{16,64}$/;

/** Whether a peer that is read from is there: what is read of it here says nothing of that. */
export class PeerWatch {
  readonly #at: string;
  readonly #asked: Asked;
  readonly #changed: () => void;
  #isAway = false;

  constructor({ at, asked, changed }: { readonly at: string; readonly asked: Asked; readonly changed: () => void }) {
    this.#at = at.replace(/^link:/, '');
    this.#asked = asked;
    this.#changed = changed;
  }

  /** This box has no stream to it. */
  get isAway(): boolean {
    return this.#isAway;
  }

  /** Looks now and then, until `signal` says that it is enough. */
  async watch(box: Box, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const peers = await this.#asked.answer(box.peers.list());
      if (signal.aborted) return;
      this.#isAway = !peers.some((peer) => peer.connected && this.#isIt(peer));
      this.#changed();
      await sleep(EVERY_MS, undefined, { signal, ref: false }).catch(() => undefined); // aborted: the loop ends
    }
  }

  #isIt({ name, fingerprint = '' }: Peer): boolean {
    return name === this.#at || (KEY.test(this.#at) && fingerprint.startsWith(this.#at));
  }
}
