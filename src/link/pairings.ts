// Pairing: both owners open a window for the other box, the boxes agree on words, and each
// owner says whether the words are the same. Commit, then reveal: whoever relays between two boxes with
// keys of his own gets one guess a try, and cannot search for nonces that make the words alike. Nor for connections
// that do: an attempt belongs to the stream on which it was committed to.
import { randomBytes, timingSafeEqual } from 'node:crypto';
import type { PairingEvent, TrustEntry } from '../api.ts';
import type { Clock, Timer } from '../clock.ts';
import { LanpostError } from '../errors.ts';
import { EventSource } from '../event-stream.ts';
import { fingerprintOf } from '../trust/fingerprint.ts';
import { commitment, NONCE_BYTES, pairingWords } from '../trust/pairing-words.ts';
import { buildStep, nonceElement, noWindow, parseNonce, parseStep, type PairingStep } from '../xep/pairing.ts';
import type { Element } from '../xmpp/element.ts';
import { StanzaError } from '../xmpp/stanza-error.ts';
import type { PeerContext } from './context.ts';
import type { Ends, PeerStreams, ProvenPeer } from './streams-port.ts';

/** How long an owner's window is open, milliseconds, and how often the peer may try in it. */
export const WINDOW = 120_000;
export const TRIES = 3;
/** Windows open at once. */
const WINDOWS = 8;

export interface PairingsParts {
  readonly clock: Clock;
  readonly streams: PeerStreams;
  readonly prove: (name: string, signal?: AbortSignal) => Promise<ProvenPeer>;
  /** Both keys and what is exported of the TLS connection to that peer; undefined when there is none. */
  readonly ends: (name: string) => Ends | undefined;
  /** Makes the key a paired one; durable when resolved. */
  readonly pair: (fingerprint: string) => Promise<TrustEntry>;
}

interface Attempt {
  readonly nonce: Uint8Array;
  /** Of the stream in use when it began: no other makes its words. */
  readonly ends: Ends;
  /** What the peer has committed to, when it began. */
  readonly commitment?: Uint8Array;
}

interface Window {
  readonly peer: ProvenPeer;
  readonly until: number;
  readonly timer: Timer;
  readonly events: EventSource<PairingEvent>;
  readonly iterator: AsyncIterableIterator<PairingEvent>;
  /** One is used up when the peer learns a nonce of ours. */
  tries: number;
  attempt: Attempt | undefined;
  /** The peer was told to wait for our own try. */
  held: boolean;
  words: readonly string[] | undefined;
  /** What the owner here and the owner there have said. */
  here: boolean;
  there: boolean;
}

export class Pairings {
  readonly #parts: PairingsParts;
  /** By the peer's fingerprint. */
  readonly #windows = new Map<string, Window>();

  constructor(parts: PairingsParts) {
    this.#parts = parts;
  }

  /** Opens a window for the peer and follows it to its end. Leaving the iteration closes it. */
  async *open(name: string, signal?: AbortSignal): AsyncGenerator<PairingEvent> {
    const peer = await this.#parts.prove(name, signal);
    if (this.#windows.has(peer.fingerprint)) throw new LanpostError('in-use', `a pairing with ${peer.name} is under way already`);
    // What the owner says of that name is for the key that has it now.
    for (const other of this.#windows.values()) if (other.peer.name === peer.name) this.#fail(other, 'failed', 'another key has that name now');
    if (this.#windows.size >= WINDOWS) throw new LanpostError('busy', `${WINDOWS} pairings are under way already`);
    const { clock } = this.#parts;
    const events = new EventSource<PairingEvent>();
    const window: Window = {
      peer, events, iterator: events.follow({ signal }), tries: TRIES, attempt: undefined, held: false, words: undefined, here: false, there: false,
      until: clock.wall() + WINDOW,
      timer: clock.after(WINDOW, () => this.#fail(window, 'expired')),
    };
    this.#windows.set(peer.fingerprint, window);
    events.emit({ type: 'waiting', peer: peer.name, fingerprint: peer.fingerprint, until: window.until });
    void this.#begin(window);
    try {
      yield* window.iterator;
    } finally {
      this.#close(window);
    }
  }

  /** What the owner says of the words. */
  async confirm(name: string, same: boolean): Promise<void> {
    const window = this.#windows.get(name) ?? [...this.#windows.values()].find(({ peer }) => peer.name === name || `link:${peer.name}` === name);
    if (!window) throw new LanpostError('not-found', `no pairing with ${name} is under way`);
    if (!window.words) throw new LanpostError('conflict', `the words of the pairing with ${name} are not known yet`);
    window.here = same;
    if (!same) this.#fail(window, 'refused');
    await this.#tell(window, { step: 'same', same });
    await this.#finish(window);
  }

  close(): void {
    for (const window of this.#windows.values()) this.#fail(window, 'closed');
  }

  /** Whoever opens second finds the other waiting. A stream that breaks meanwhile is opened again, a few times. */
  async #begin(window: Window, tries: number = TRIES): Promise<void> {
    const nonce = randomBytes(NONCE_BYTES);
    let attempt: Attempt | undefined;
    if (window.words) return; // the peer began meanwhile; words that are being compared are not taken away
    window.held = false;
    try {
      attempt = { nonce, ends: this.#ends(window) };
      window.attempt = attempt;
      const theirs = parseNonce(await this.#tell(window, { step: 'commit', commitment: commitment(nonce) }));
      if (window.attempt !== attempt) return; // theirs came between, and is the one that counts
      if (!isSame(attempt.ends, this.#ends(window))) throw lost();
      if (!this.#counts(window)) return;
      await this.#tell(window, { step: 'reveal', nonce });
      if (window.attempt === attempt) this.#show(window, attempt, theirs);
    } catch (error) {
      if (attempt && window.attempt === attempt) window.attempt = undefined;
      if (this.#windows.get(window.peer.fingerprint) !== window) return;
      if (error instanceof StanzaError && error.condition === 'conflict') return; // theirs is under way
      if (error instanceof StanzaError && error.condition === 'unexpected-request') {
        // No window is open over there yet: when it is, they begin. They may have, and been told to wait for this.
        if (window.held && tries > 1) await this.#begin(window, tries - 1);
        return;
      }
      if (isLost(error) && tries > 1) return this.#again(window, tries - 1);
      this.#fail(window, 'failed', error instanceof Error ? error.message : String(error));
    }
  }

  async #again(window: Window, tries: number): Promise<void> {
    try {
      await this.#parts.prove(window.peer.name);
    } catch {
      return; // gone, or closing: if it comes back within the window it begins
    }
    await this.#begin(window, tries);
  }

  /** A step of the peer's. */
  async asked(pair: Element, { fingerprint, ends }: PeerContext): Promise<Element | undefined> {
    const step = parseStep(pair);
    const window = fingerprint === undefined ? undefined : this.#windows.get(fingerprint);
    if (!window) throw noWindow();
    if (step.step === 'commit') return nonceElement(this.#committed(window, step.commitment, ends?.()));
    if (step.step === 'reveal') this.#revealed(window, step.nonce, ends?.());
    else await this.#said(window, step.same);
    return undefined;
  }

  /** When both began at once the lower key goes on, and the other answers. */
  #committed(window: Window, theirs: Uint8Array, ends: Ends | undefined): Uint8Array {
    // Words that are being compared are not taken away.
    if (window.words) throw new StanzaError('policy-violation', { text: 'the words are known already' });
    if (!ends) throw otherStream();
    if (window.attempt && !window.attempt.commitment && Buffer.compare(ends.own, ends.peer) < 0) {
      window.held = true;
      throw new StanzaError('conflict', { text: 'our own try is under way' });
    }
    if (!this.#counts(window)) throw new StanzaError('policy-violation', { text: 'no more tries in this window' });
    const nonce = randomBytes(NONCE_BYTES);
    window.attempt = { nonce, ends, commitment: theirs };
    return nonce;
  }

  #counts(window: Window): boolean {
    if (window.tries === 0) {
      this.#fail(window, 'tries');
      return false;
    }
    window.tries -= 1;
    return true;
  }

  #revealed(window: Window, nonce: Uint8Array, ends: Ends | undefined): void {
    const { attempt } = window;
    if (window.words || !attempt?.commitment) throw new StanzaError('unexpected-request', { text: 'nothing was committed to' });
    // With each connection the words are others: whoever has seen the nonce would look for one on which they fit.
    if (!ends || !isSame(attempt.ends, ends)) {
      window.attempt = undefined;
      throw otherStream();
    }
    if (!timingSafeEqual(commitment(nonce), attempt.commitment)) {
      window.attempt = undefined;
      throw new StanzaError('not-acceptable', { text: 'that is not what was committed to' });
    }
    this.#show(window, attempt, nonce);
  }

  /** Of the stream in use, which must be one of the key that the window is for. */
  #ends({ peer }: Window): Ends {
    const ends = this.#parts.ends(peer.name);
    if (!ends || fingerprintOf(ends.peer) !== peer.fingerprint) throw lost();
    return ends;
  }

  #show(window: Window, { ends, nonce, commitment: began }: Attempt, theirs: Uint8Array): void {
    const { peer } = window;
    const own = { spki: ends.own, nonce };
    const other = { spki: ends.peer, nonce: theirs };
    const [first, second] = began ? [other, own] : [own, other];
    window.words = pairingWords({ first, second, binding: ends.binding });
    window.events.emit({ type: 'words', peer: peer.name, fingerprint: peer.fingerprint, words: window.words });
  }

  async #said(window: Window, same: boolean): Promise<void> {
    if (!window.words) throw new StanzaError('unexpected-request', { text: 'there are no words yet' });
    if (!same) return this.#fail(window, 'refused');
    window.there = true;
    await this.#finish(window);
  }

  async #finish(window: Window): Promise<void> {
    if (!window.here || !window.there || this.#windows.get(window.peer.fingerprint) !== window) return;
    this.#windows.delete(window.peer.fingerprint);
    window.timer.stop(); // both said yes in time, however long the disk takes
    let entry: TrustEntry;
    try {
      entry = await this.#parts.pair(window.peer.fingerprint);
    } catch (error) {
      this.#fail(window, 'failed', error instanceof Error ? error.message : String(error));
      throw error;
    }
    window.events.emit({ type: 'paired', peer: window.peer.name, fingerprint: window.peer.fingerprint, entry });
    this.#close(window);
  }

  #fail(window: Window, reason: Extract<PairingEvent, { type: 'failed' }>['reason'], detail?: string): void {
    window.events.emit({ type: 'failed', peer: window.peer.name, fingerprint: window.peer.fingerprint, reason, ...(detail === undefined ? {} : { detail }) });
    this.#close(window);
  }

  #close(window: Window): void {
    window.timer.stop();
    if (this.#windows.get(window.peer.fingerprint) === window) this.#windows.delete(window.peer.fingerprint);
    window.events.close();
  }

  #tell(window: Window, step: PairingStep): Promise<Element> {
    return this.#parts.streams.request(window.peer.name, buildStep(step));
  }
}

function isSame(one: Ends, other: Ends): boolean {
  return Buffer.compare(one.binding, other.binding) === 0;
}

function lost(): LanpostError {
  return new LanpostError('disconnected', 'the stream of the pairing was lost');
}

function otherStream(): StanzaError {
  return new StanzaError('not-acceptable', { text: 'that was begun over another stream, which has gone' });
}

/** The stream has gone, for us or for the peer; another may be had. */
function isLost(error: unknown): boolean {
  if (error instanceof StanzaError) return error.condition === 'not-acceptable';
  return error instanceof LanpostError && (error.code === 'disconnected' || error.code === 'closed');
}
