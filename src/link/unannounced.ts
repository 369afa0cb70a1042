import { LanpostError } from '../errors.ts';
import type { Peers, Sighting } from './peers.ts';
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
  readonly #names = new Set<string>();

  constructor(parts: UnannouncedParts) {
    this.#parts = parts;
  }

  found(sighting: Sighting): void {
    this.#names.delete(sighting.instance);
    this.#parts.peers.found(sighting);
  }

  /** A peer that no multicast reaches has opened a stream, or taken a call. */
  reached(sighting: Sighting): void {
    if (this.#parts.peers.get(sighting.instance)) return;
    this.#names.add(sighting.instance);
    this.#parts.peers.found(sighting);
  }

  /** Its records have run out, or it said goodbye; then it ends its stream as well. */
  gone(name: string): void {
    const stream = this.#parts.stream(name);
    if (!stream?.managed) return this.#parts.peers.gone(name);
    this.#names.add(name);
    void this.#ask(name, stream);
  }

  /** Something has become of its streams. */
  changed(name: string): void {
    if (!this.#names.has(name) || this.#parts.stream(name)) return;
    this.#names.delete(name);
    this.#parts.peers.gone(name);
  }

  async #ask(name: string, stream: Pick<LinkStream, 'held' | 'unanswered' | 'probe' | 'destroy'>): Promise<void> {
    if (stream.unanswered < ANSWER && await stream.probe(ANSWER)) return;
    // Found again meanwhile, or nothing is read from it: then it has the time that any other stream has.
    if (this.#names.has(name) && !stream.held) stream.destroy(new LanpostError('timeout', 'The peer does not answer.'));
  }
}
