import { LanpostError } from '../errors.ts';
import type { KnownPeer, Peers, Sighting } from './peers.ts';
import type { LinkStream } from './streams/stream.ts';

/** How long its stream may take to answer for a peer whose records have run out; ms. */
const ANSWER = 3_000;

export interface UnannouncedParts {
  readonly peers: Pick<Peers, 'found' | 'get' | 'gone'>;
  /** The stream in use to that peer. */
  readonly stream: (name: string) => Pick<LinkStream, 'managed' | 'held' | 'unanswered' | 'probe' | 'destroy'> | undefined;
}

/**
 * Peers that no record speaks for. Records are lost with packets, and a link may carry no multicast for a while: a
 * peer whose stream answers is there all the same, until the stream ends.
 */
export class Unannounced {
  readonly #parts: UnannouncedParts;
  /** As they were known then: whoever is found again is known anew. */
  readonly #known = new WeakSet<KnownPeer>();

  constructor(parts: UnannouncedParts) {
    this.#parts = parts;
  }

  /** A peer that no multicast reaches has opened a stream, or taken a call. */
  reached(sighting: Sighting): void {
    if (this.#parts.peers.get(sighting.instance)) return;
    this.#parts.peers.found(sighting);
    this.#note(sighting.instance);
  }

  /** Its records have run out, or it said goodbye; then it ends its stream as well. */
  gone(name: string): void {
    const stream = this.#parts.stream(name);
    if (!stream?.managed) return this.#parts.peers.gone(name);
    this.#note(name);
    void this.#ask(name, stream);
  }

  /** Something has become of its streams. */
  changed(name: string): void {
    if (this.#has(name) && !this.#parts.stream(name)) this.#parts.peers.gone(name);
  }

  #note(name: string): void {
    const peer = this.#parts.peers.get(name);
    if (peer) this.#known.add(peer);
  }

  #has(name: string): boolean {
    const peer = this.#parts.peers.get(name);
    return peer !== undefined && this.#known.has(peer);
  }

  async #ask(name: string, stream: Pick<LinkStream, 'held' | 'unanswered' | 'probe' | 'destroy'>): Promise<void> {
    if (stream.unanswered < ANSWER && await stream.probe(ANSWER)) return;
    // Found again meanwhile, or nothing is read from it: then it has the time that any other stream has.
    if (this.#has(name) && !stream.held) stream.destroy(new LanpostError('timeout', 'The peer does not answer.'));
  }
}
