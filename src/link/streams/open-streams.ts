import type { Clock } from '../../clock.ts';
import { LanpostError } from '../../errors.ts';
import type { Trust } from '../../trust/trust.ts';
import type { LinkStream } from './stream.ts';

/** How long a key that is only seen keeps its stream when all are taken. */
const TURN = 60_000;

export interface OpenStreamsInit {
  readonly clock: Clock;
  readonly trust: Pick<Trust, 'level'>;
  /** There may be so many. */
  readonly most: number;
  readonly full: (message: string) => void;
}

/** Every stream on the link, the oldest first, with the address at its other end; and no more of them than may be. */
export class OpenStreams implements Iterable<readonly [stream: LinkStream, address: string]> {
  readonly #init: OpenStreamsInit;
  readonly #all = new Map<LinkStream, string>();

  constructor(init: OpenStreamsInit) {
    this.#init = init;
  }

  get size(): number {
    return this.#all.size;
  }

  [Symbol.iterator](): Iterator<readonly [stream: LinkStream, address: string]> {
    return this.#all[Symbol.iterator]();
  }

  add(stream: LinkStream, address: string): void {
    this.#all.set(stream, address);
  }

  remove(stream: LinkStream): void {
    this.#all.delete(stream);
  }

  /**
   * Addresses on a link are free, and so are keys: whoever takes all the streams must not lock out the others. The
   * oldest that has shown no key gives way, then the oldest whose key nobody vouched for and that had its turn.
   */
  makeRoom(): boolean {
    const { most, trust, clock, full } = this.#init;
    if (this.#all.size < most) return true;
    const streams = [...this.#all.keys()];
    const least = streams.find(({ fingerprint }) => fingerprint === undefined)
      ?? streams.find(({ fingerprint, since }) => trust.level(fingerprint) !== 'paired' && clock.mono() - since > TURN);
    full(`all ${most} streams are taken; ${least ? 'the oldest of a stranger was ended' : 'a call was refused'}`);
    if (!least) return false;
    this.#all.delete(least);
    least.destroy(new LanpostError('busy', 'Too many streams are open, and this one belonged to a stranger.'));
    return true;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#all.keys()].map(stream => stream.close()));
  }
}
