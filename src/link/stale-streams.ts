import { LanpostError } from '../errors.ts';
import type { Sighting } from './peers.ts';
import { plainAddress } from './source-address.ts';
import type { LinkStream } from './streams/stream.ts';

/** How long a stream to an address that its peer has left may take to show that it lives; ms. */
const ANSWER = 3_000;

export interface StaleStreamsParts {
  /** Every one that this host has: a stream may go over a VPN, or an interface where nothing is announced. */
  readonly addresses: () => Iterable<string>;
  readonly all: () => Iterable<readonly [stream: LinkStream, address: string]>;
  /** The stream in use to that peer. */
  readonly to: (name: string) => LinkStream | undefined;
}

/** Streams between addresses that are no more: TCP would go on trying for minutes. */
export class StaleStreams {
  readonly #parts: StaleStreamsParts;
  readonly #asked = new Set<LinkStream>();

  constructor(parts: StaleStreamsParts) {
    this.#parts = parts;
  }

  /** This box has other addresses now. An interface that is away may come back with the one it had. */
  look(): void {
    const own = Array.from(this.#parts.addresses(), plainAddress);
    const gone = (address: string): boolean => !own.includes(address) && own.some((other) => other.includes(':') === address.includes(':'));
    for (const [stream] of this.#parts.all()) {
      if (gone(stream.localAddress)) stream.destroy(new LanpostError('disconnected', 'This box has another address now.'));
    }
  }

  /** The peer has announced itself anew: perhaps without the address that its stream goes to. */
  moved({ instance, addresses }: Pick<Sighting, 'instance' | 'addresses'>): void {
    const stream = this.#parts.to(instance);
    if (!stream || this.#asked.has(stream)) return;
    for (const [one, address] of this.#parts.all()) {
      if (one === stream && !addresses.some((known) => plainAddress(known.address) === address)) void this.#ask(stream);
    }
  }

  async #ask(stream: LinkStream): Promise<void> {
    this.#asked.add(stream);
    const alive = await stream.probe(ANSWER) || stream.held;
    this.#asked.delete(stream);
    if (!alive) stream.destroy(new LanpostError('timeout', 'The peer has another address now, and does not answer at this one.'));
  }
}
