// A peer proves an account: a nonce goes to the account through this box's home, and comes back over the link, signed
// with the peer's key. What comes over the link alone proves nothing of an account, nor does a home of a key.
import { randomBytes, randomUUID } from 'node:crypto';
import type { Clock, Timer } from '../clock.ts';
import { LanpostError } from '../errors.ts';
import type { Claims } from '../trust/claims.ts';
import { fingerprintOf } from '../trust/fingerprint.ts';
import { isSealed, sealKey, type Sealer } from '../trust/seal.ts';
import {
  challengeMessage, type JidChallenge, parseProof, PROOF_NONCE_BYTES, proofRequest, proofStatement,
} from '../xep/jid-proof.ts';
import type { Element } from '../xmpp/element.ts';
import { StanzaError } from '../xmpp/stanza-error.ts';
import type { PeerContext } from './context.ts';
import type { PeerStreams, ProvenPeer } from './streams-port.ts';

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
/** How long a nonce may take there and back. */
export const NONCE_LASTS: number = 2 * MINUTE;
/** A proof is renewed when it is so old, or up to `spread` older. */
export const RENEWAL: { readonly age: number; readonly spread: number } = { age: 25 * DAY, spread: 2 * DAY };
/** After a try that proved nothing, doubling; when the peer comes back, `return` at the earliest. */
const RETRY = { first: MINUTE, most: 60 * MINUTE, return: 5 * MINUTE };
/** Not all who come back at once ask at once. */
const SPREAD = 2_000;
/** The longest sleep: the clock may have been set meanwhile. */
const LOOK_EVERY = 60 * MINUTE;
/** Answers a paired key gets at most, and in what time. */
const ANSWERS = { most: 4, within: MINUTE } as const;

export interface JidProofsParts {
  readonly clock: Clock;
  readonly claims: Claims;
  readonly seal: Sealer;
  readonly fingerprint: string;
  readonly streams: Pick<PeerStreams, 'request'>;
  readonly isPaired: (fingerprint: string) => boolean;
  /** The name under which a stream has proven that key, while it is open. */
  readonly speaking: (fingerprint: string) => string | undefined;
  /** The name it goes by on the link, when it is there. */
  readonly nameOf: (fingerprint: string) => string | undefined;
  /** Opens a stream to whoever has that name. */
  readonly prove: (name: string) => Promise<ProvenPeer>;
  readonly home: HomeAccounts;
  /** An account is proven: mail may have another road now. */
  readonly changed: () => void;
  readonly random?: () => number;
}

/** The accounts of this box. */
export interface HomeAccounts {
  /** Whether the bare JID is one of them. */
  has(jid: string): boolean;
  /** The one that mail for that JID is from. */
  accountFor(jid: string): string | undefined;
  /** Whether that one is connected. */
  reaches(jid: string): boolean;
  /** Through that one; resolves when its server has the stanza. */
  send(jid: string, build: () => Element): Promise<void>;
}

interface Try {
  readonly challenge: JidChallenge;
  readonly until: number;
}

interface Effort {
  failures: number;
  /** When it is tried next at the earliest, and was last; monotonic. */
  next: number;
  last: number;
  /** How much later than it must be it is renewed. */
  readonly spread: number;
  pending: Try | undefined;
  /** The owner has said it: it is not waited for until it is old. */
  readonly asked: boolean;
}

export class JidProofs {
  readonly #parts: JidProofsParts;
  readonly #random: () => number;
  /** By account. */
  readonly #efforts = new Map<string, Effort>();
  /** By fingerprint: when paired keys were answered lately. */
  readonly #answered = new Map<string, number[]>();
  #timer: Timer | undefined;
  #closed = false;

  constructor(parts: JidProofsParts) {
    this.#parts = parts;
    this.#random = parts.random ?? Math.random;
  }

  /** The owner has said it, maybe again: it is tried at once. */
  claimed(jid: string): void {
    this.#efforts.set(jid, this.#effort(0, true));
    this.look();
  }

  /** A road has opened: the link to that key, or a home. */
  opened(fingerprint?: string): void {
    const now = this.#parts.clock.mono();
    for (const [jid, effort] of this.#efforts) {
      if (fingerprint !== undefined && this.#parts.claims.claimant(jid) !== fingerprint) continue;
      effort.next = Math.min(effort.next, Math.max(now + SPREAD * this.#random(), effort.last + RETRY.return));
    }
    this.look();
  }

  /** Tries what is due and can be tried, and comes back when something else will be. */
  look(): void {
    if (this.#closed) return;
    const { claims, clock } = this.#parts;
    const now = clock.mono();
    const jids = claims.jids();
    for (const jid of this.#efforts.keys()) if (claims.claimant(jid) === undefined) this.#efforts.delete(jid);
    let next = now + LOOK_EVERY;
    for (const jid of jids) {
      const effort = this.#effortFor(jid);
      const due = this.#due(jid, effort, now);
      if (due > now) next = Math.min(next, due);
      else this.#try(jid, effort);
      if (effort.pending) next = Math.min(next, effort.pending.until);
    }
    this.#timer?.stop();
    this.#timer = jids.length === 0 ? undefined : clock.after(Math.max(1, next - now), () => this.look());
  }

  close(): void {
    this.#closed = true;
    this.#timer?.stop();
  }

  #effort(delay: number, asked = false): Effort {
    const now = this.#parts.clock.mono();
    return { failures: 0, next: now + delay, last: now, spread: RENEWAL.spread * this.#random(), pending: undefined, asked };
  }

  #effortFor(jid: string): Effort {
    const known = this.#efforts.get(jid);
    if (known) return known;
    const effort = this.#effort(SPREAD * this.#random());
    this.#efforts.set(jid, effort);
    return effort;
  }

  /** When it is to be tried; what cannot be tried now is looked at again when a road opens. */
  #due(jid: string, effort: Effort, now: number): number {
    const { claims } = this.#parts;
    if (effort.pending) {
      if (effort.pending.until > now) return Infinity;
      this.#failed(jid, effort, 'no answer came over the link: the peer has no session with that account, or has not paired with this box');
    }
    const age = claims.age(jid);
    if (age === undefined || effort.failures > 0 || effort.asked) return effort.next;
    return Math.max(effort.next, now + RENEWAL.age + effort.spread - age);
  }

  /** Where a road is missing there is nothing to be tried: it is looked at again when that opens. */
  #try(jid: string, effort: Effort): void {
    const { claims, home, nameOf, clock } = this.#parts;
    const asked = claims.claimant(jid);
    const name = asked === undefined ? undefined : nameOf(asked);
    if (asked === undefined || name === undefined) return claims.failed(jid, 'the peer is not on the link');
    if (!home.reaches(jid)) return claims.failed(jid, 'no home of this box is connected');
    const now = clock.mono();
    const challenge: JidChallenge = { nonce: randomBytes(PROOF_NONCE_BYTES).toString('base64'), asker: this.#parts.fingerprint, asked };
    const pending: Try = { challenge, until: now + NONCE_LASTS };
    effort.last = now;
    effort.pending = pending;
    this.#ask(jid, name, challenge).catch((error: unknown) => {
      if (effort.pending !== pending) return;
      this.#failed(jid, effort, error instanceof Error ? error.message : String(error));
      this.look();
    });
  }

  /** First the stream that the answer comes over: the peer opens none to whoever asks through home. */
  async #ask(jid: string, name: string, challenge: JidChallenge): Promise<void> {
    const { home, speaking, prove } = this.#parts;
    if (speaking(challenge.asked) === undefined) await prove(name);
    if (speaking(challenge.asked) === undefined) throw new LanpostError('unreachable', 'no stream to the peer could be opened');
    const id = randomUUID();
    await home.send(jid, () => challengeMessage(jid, id, challenge));
  }

  #failed(jid: string, effort: Effort, reason: string): void {
    effort.pending = undefined;
    const wait = Math.min(RETRY.most, RETRY.first * 2 ** effort.failures);
    effort.failures += 1;
    effort.next = this.#parts.clock.mono() + wait / 2 + wait / 2 * this.#random();
    this.#parts.claims.failed(jid, reason);
  }

  /** A peer returns a nonce over the link. */
  async proved(element: Element, { fingerprint }: PeerContext): Promise<void> {
    const { claims, isPaired, clock } = this.#parts;
    const proof = parseProof(element);
    if (fingerprint === undefined || !isPaired(fingerprint)) throw new StanzaError('forbidden', { text: 'only paired keys prove accounts here' });
    const found = [...this.#efforts].find(([, { pending }]) => pending?.challenge.nonce === proof.nonce);
    const [jid, effort] = found ?? [];
    if (jid === undefined || !effort?.pending || effort.pending.until <= clock.mono() || claims.claimant(jid) === undefined) {
      throw new StanzaError('item-not-found', { text: 'that nonce is not waited for, or not any more' });
    }
    const { challenge } = effort.pending;
    // Whoever else has seen the nonce does not use it up.
    if (challenge.asked !== fingerprint || claims.claimant(jid) !== fingerprint) throw new StanzaError('not-acceptable', { text: 'it was not asked of this key' });
    const spki = sealKey(proof);
    const why = proof.jid !== jid ? `the challenge came in at ${proof.jid.slice(0, 160)}`
      : !spki || fingerprintOf(spki) !== fingerprint || !isSealed(proof, 'lanpost jid 1', proofStatement(challenge, jid)) ? 'the signature is not of the peer\'s key, or of something else'
      : undefined;
    if (why !== undefined) {
      this.#failed(jid, effort, why);
      this.look();
      throw new StanzaError('not-acceptable', { text: why });
    }
    const fresh = this.#effort(0);
    this.#efforts.set(jid, fresh);
    try {
      await claims.proven(jid, fingerprint);
    } catch (error) {
      this.#failed(jid, fresh, error instanceof Error ? error.message : String(error));
      throw error;
    } finally {
      this.look();
    }
    this.#parts.changed();
  }

  /**
   * Somebody asks through home. Answered over the link alone, and to nobody but a paired key that is there; whoever
   * else asks, at whatever account, hears nothing.
   */
  asked(challenge: JidChallenge, account: string): void {
    const { fingerprint, isPaired, speaking, seal, streams } = this.#parts;
    if (this.#closed || challenge.asked !== fingerprint || challenge.asker === fingerprint || !isPaired(challenge.asker)) return;
    const name = speaking(challenge.asker);
    if (name === undefined || !this.#mayAnswer(challenge.asker)) return;
    const signed = seal.seal('lanpost jid 1', proofStatement(challenge, account));
    streams.request(name, proofRequest({ nonce: challenge.nonce, jid: account, ...signed }))
      .catch(() => undefined); // whoever asked knows what came of it, and asks again if it wants to
  }

  #mayAnswer(fingerprint: string): boolean {
    const now = this.#parts.clock.mono();
    for (const [key, times] of this.#answered) if (now - (times.at(-1) ?? 0) >= ANSWERS.within) this.#answered.delete(key);
    const lately = (this.#answered.get(fingerprint) ?? []).filter((at) => now - at < ANSWERS.within);
    if (lately.length >= ANSWERS.most) return false;
    this.#answered.set(fingerprint, [...lately, now]);
    return true;
  }
}
