// Pairing: both owners open a window for the other box, the boxes agree on words, and each
// owner says whether the words are the same. Commit, then reveal: whoever relays between two boxes with
// keys of his own gets one guess a try, and cannot search for nonces that make the words alike. Nor for connections
// that do: an attempt belongs to the stream on which it was committed to.
//
// What pairs a key is two words of assent, and nothing else: that of the owner here, for the words of this window, and that
// of the peer, over a stream that has proven its key. Neither is made up when an answer is lost: whoever has both is paired, whether or not the
// peer is known to have heard; whoever lacks one is not. The first is what keeps out whoever stands between, who
// can always send the second himself. That both have heard cannot be known (two generals): a side that is paired alone says so
// when it comes to know or could not make sure, and pairing once more mends it.
import { randomBytes, timingSafeEqual } from 'node:crypto';
import type { PairingEvent, TrustEntry, Trouble } from '../api.ts';
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
/** How long a box that is stopped waits for those whom it leaves, ms. */
const LEAVING = 2_000;

export interface PairingsParts {
  readonly clock: Clock;
  readonly trouble: (trouble: Trouble) => void;
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
  /** The peer is being told that the owner here said yes; has confirmed that it heard. */
  telling: boolean;
  told: boolean;
  /** Both have said yes; resolves when it is on disk. */
  pairing: Promise<void> | undefined;
}

export class Pairings {
  readonly #parts: PairingsParts;
  /** By the peer's fingerprint. */
  readonly #windows = new Map<string, Window>();
  /** Windows that ended with a pairing, as long as the peer's own can be open yet: until when, by the monotonic clock. */
  readonly #done = new Map<string, { readonly peer: ProvenPeer; readonly until: number }>();
  readonly #leaving = new Set<Promise<void>>();

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
      peer, events, iterator: events.follow({ signal }), tries: TRIES, attempt: undefined, held: false, words: undefined, here: false, there: false, telling: false, told: false, pairing: undefined,
      until: clock.wall() + WINDOW,
      timer: clock.after(WINDOW, () => this.#fail(window, 'expired')),
    };
    this.#windows.set(peer.fingerprint, window);
    this.#done.delete(peer.fingerprint); // a yes is never for the words of another window
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
    if (same) return this.#assure(window);
    this.#windows.delete(window.peer.fingerprint);
    this.#fail(window, 'refused');
    await this.#tell(window, { step: 'same', same });
  }

  /** Those who compare words hear of it. */
  async close(): Promise<void> {
    for (const window of this.#windows.values()) this.#fail(window, 'closed');
    await Promise.all(this.#leaving);
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
    if (!window) return this.#late(step, fingerprint ?? '');
    if (step.step === 'left') return this.#left(window, 'failed', `${window.peer.name} has ended the pairing`);
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
    if (!same) return this.#left(window, 'refused');
    window.there = true;
    await this.#finish(window);
    // It has not heard ours, as far as is known, and can be reached now.
    if (window.pairing && !window.told && !window.telling) this.#assure(window).catch(() => undefined); // told there
  }

  /** The owner here says yes. Whatever becomes of the telling, that and a yes of the peer's are enough; but one that answers with an error has paired nobody, and will not by that. */
  async #assure(window: Window): Promise<void> {
    let failure: unknown;
    window.telling = true;
    for (let tries = TRIES; tries > 0 && !window.told; tries--) {
      try {
        if (failure !== undefined) await this.#parts.prove(window.peer.name);
        if (!this.#isLast(window)) break;
        await this.#tell(window, { step: 'same', same: true });
        window.told = true;
      } catch (error) {
        failure = error;
        if (error instanceof StanzaError) break;
      }
      await this.#finish(window);
    }
    window.telling = false;
    if (window.told) return;
    if (!window.pairing) throw failure;
    await window.pairing;
    this.#alone(window.peer);
  }

  /** Under way, or paired and followed by no other: a yes for the words of one must not be taken for those of the next. */
  #isLast(window: Window): boolean {
    const now = this.#windows.get(window.peer.fingerprint);
    return now === window || (now === undefined && window.pairing !== undefined);
  }

  /** The peer says that it goes, or no: it need not be told. */
  #left(window: Window, reason: 'refused' | 'failed', detail?: string): undefined {
    this.#windows.delete(window.peer.fingerprint);
    this.#fail(window, reason, detail);
  }

  /** What comes when the window has ended here with a pairing: the answer to its yes was lost, or it has gone without one. */
  #late(step: PairingStep, fingerprint: string): undefined {
    const done = this.#done.get(fingerprint);
    if (!done || done.until < this.#parts.clock.mono() || step.step === 'commit' || step.step === 'reveal') throw noWindow();
    if (step.step === 'same' && step.same) return;
    this.#done.delete(fingerprint);
    this.#alone(done.peer);
  }

  #alone({ name }: ProvenPeer): void {
    this.#parts.trouble({ kind: 'link.pairing', message: `${name} is paired here, and may not have this box paired: if it has not, pair them again, on both boxes` });
  }

  async #finish(window: Window): Promise<void> {
    if (window.here && window.there && this.#windows.get(window.peer.fingerprint) === window) window.pairing = this.#pair(window);
    await window.pairing;
  }

  async #pair(window: Window): Promise<void> {
    const { peer } = window;
    this.#windows.delete(peer.fingerprint);
    window.timer.stop(); // both said yes in time, however long the disk takes
    this.#done.set(peer.fingerprint, { peer, until: this.#parts.clock.mono() + WINDOW });
    for (const [oldest] of this.#done) if (this.#done.size > WINDOWS) this.#done.delete(oldest);
    let entry: TrustEntry;
    try {
      entry = await this.#parts.pair(peer.fingerprint);
    } catch (error) {
      this.#done.delete(peer.fingerprint);
      this.#leave(window); // the peer may be paired
      this.#fail(window, 'failed', error instanceof Error ? error.message : String(error));
      throw error;
    }
    window.events.emit({ type: 'paired', peer: peer.name, fingerprint: peer.fingerprint, entry });
    this.#close(window);
  }

  #fail(window: Window, reason: Extract<PairingEvent, { type: 'failed' }>['reason'], detail?: string): void {
    window.events.emit({ type: 'failed', peer: window.peer.name, fingerprint: window.peer.fingerprint, reason, ...(detail === undefined ? {} : { detail }) });
    this.#close(window);
  }

  #close(window: Window): void {
    window.timer.stop();
    if (this.#windows.get(window.peer.fingerprint) === window) {
      this.#windows.delete(window.peer.fingerprint);
      this.#leave(window);
    }
    window.events.close();
  }

  /** Whoever compares words with nobody any more is told; over a stream that is there, and nobody waits for it for long. */
  #leave(window: Window): void {
    const ends = this.#parts.ends(window.peer.name);
    if (!window.words || !ends || fingerprintOf(ends.peer) !== window.peer.fingerprint) return;
    const told = new Promise<void>((resolve) => {
      const timer = this.#parts.clock.after(LEAVING, resolve);
      this.#tell(window, { step: 'left' }).catch(() => undefined).finally(() => { // its own window is over in time as well
        timer.stop();
        resolve();
      });
    }).finally(() => this.#leaving.delete(told));
    this.#leaving.add(told);
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
