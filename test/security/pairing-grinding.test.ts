// What a relay between two boxes that are being paired gets for computing, however much of that it has. It has two keys, plays each
// owner's other box, and looks for nonces with which both see the same words. Here the owners' ends are as they are, and the
// stream is at the relay's hand; pairing-relay.test.ts does the same with whole boxes.
import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { PairingEvent } from '../../src/api.ts';
import { createTestClock } from '../../src/clock.ts';
import { Pairings, TRIES, WINDOW } from '../../src/link/pairings.ts';
import { fingerprintOf } from '../../src/trust/fingerprint.ts';
import { commitment, NONCE_BYTES, pairingWords } from '../../src/trust/pairing-words.ts';
import { WORDLIST } from '../../src/trust/wordlist.ts';
import { buildStep, NS_PAIRING, noWindow, parseNonce, type PairingStep } from '../../src/xep/pairing.ts';
import { type Element, xml } from '../../src/xmpp/element.ts';
import { StanzaError } from '../../src/xmpp/stanza-error.ts';
import { seeded } from '../support/seeded.ts';

/** One owner's end, with a window open for the relay's key. */
class Owner {
  readonly #ends = { own: randomBytes(91), peer: randomBytes(91), binding: randomBytes(32) };
  readonly #fingerprint = fingerprintOf(this.#ends.peer);
  readonly #pairings = new Pairings({
    clock: createTestClock(), trouble: () => undefined, ends: () => this.#ends,
    prove: () => Promise.resolve({ name: 'relay', fingerprint: this.#fingerprint }),
    // The relay begins itself, so that it has their nonce before it has to show its own.
    streams: { request: () => Promise.reject(noWindow()), send: () => Promise.reject(noWindow()) },
    pair: () => Promise.reject(new Error('paired')),
  });
  readonly #events: AsyncGenerator<PairingEvent> = this.#pairings.open('relay');
  #nonce: Uint8Array = Buffer.alloc(0);

  async opened(): Promise<this> {
    const { value } = await this.#events.next();
    if (value?.type !== 'waiting') throw new Error('no window was opened');
    return this;
  }

  /** From here on the relay knows the owner's nonce. */
  async commit(nonce: Uint8Array): Promise<void> {
    for (;;) {
      try {
        this.#nonce = parseNonce(xml('iq', {}, await this.#asked({ step: 'commit', commitment: commitment(nonce) })));
        return;
      } catch (error) {
        if (!(error instanceof StanzaError && error.condition === 'conflict')) throw error;
      }
    }
  }

  /** What this owner would see, should that be revealed: the relay can compute it. */
  with(nonce: Uint8Array): string[] {
    const { own, peer, binding } = this.#ends;
    return pairingWords({ first: { spki: peer, nonce }, second: { spki: own, nonce: this.#nonce }, binding });
  }

  /** The words that the owner sees, or the condition of the refusal. */
  async reveal(nonce: Uint8Array): Promise<string[]> {
    try {
      await this.#asked({ step: 'reveal', nonce });
    } catch (error) {
      if (error instanceof StanzaError) return [error.condition];
      throw error;
    }
    const { value } = await this.#events.next();
    return value?.type === 'words' ? [...value.words] : [];
  }

  async #asked(step: PairingStep): Promise<Element | undefined> {
    const pair = buildStep(step).getChild('pair', NS_PAIRING);
    return pair && this.#pairings.asked(pair, { kind: 'link', name: 'relay', fingerprint: this.#fingerprint, trust: 'seen', tls: true, ends: () => this.#ends });
  }
}

const within = (hits: number, expected: number): void => expect(Math.abs(hits - expected)).toBeLessThan(6 * Math.sqrt(expected));

describe('a relay that grinds, with the words there are', () => {
  const KINDS = WORDLIST.length ** 3;

  test('hits with none of 200,000 nonces that it chose before it knew theirs: each of the three words is alike once in 2,048', () => {
    const GRINDS = 200_000;
    const random = seeded(7);
    const bytes = (length: number): Buffer => {
      const filled = Buffer.alloc(length + 3);
      for (let at = 0; at < length; at += 4) filled.writeUInt32LE(Math.floor(random() * 0x1_0000_0000), at);
      return filled.subarray(0, length);
    };
    const [a, b, m, ofA, ofB] = [91, 91, 91, 32, 32].map(bytes) as [Buffer, Buffer, Buffer, Buffer, Buffer];
    const same = [0, 0, 0];
    let all = 0;
    for (let grind = 0; grind < GRINDS; grind += 1) {
      // Committed to before either of theirs is known: so these are random to it.
      const nonce = bytes(NONCE_BYTES);
      const seenByA = pairingWords({ first: { spki: m, nonce }, second: { spki: a, nonce: bytes(NONCE_BYTES) }, binding: ofA });
      const seenByB = pairingWords({ first: { spki: m, nonce }, second: { spki: b, nonce: bytes(NONCE_BYTES) }, binding: ofB });
      const alike = seenByA.map((word, at) => word === seenByB[at]);
      alike.forEach((one, at) => { if (one) same[at] = (same[at] ?? 0) + 1; });
      if (alike.every(Boolean)) all += 1;
    }
    console.info(`${GRINDS} nonces, words alike: ${all}; the first, second, third word alike: ${same.join(', ')}, where ${Math.round(GRINDS / WORDLIST.length)} are expected`);
    expect(all).toBe(0);
    for (const hits of same) within(hits, GRINDS / WORDLIST.length);
  });

  test('has in two minutes, at a thousand million a second, no more than its five guesses: it would have the words ten times over, but not the commitment', () => {
    const grinds = 1e9 * WINDOW / 1_000;
    expect(grinds).toBe(1.2e11);
    expect(KINDS).toBe(2 ** 33);
    // Had it the choice after it knows theirs, one side's nonce alone would do.
    expect(grinds / KINDS).toBeGreaterThan(10);
    // The choice is made before: to make another means to find a second nonce of one SHA-256.
    expect(commitment(randomBytes(NONCE_BYTES))).toHaveLength(32);
    expect(grinds / 2 ** 256).toBeLessThan(1e-60);
    // What is left: three tries at each owner, of which the last of one goes with the first of the other.
    expect((2 * TRIES - 1) / KINDS).toBeLessThan(1e-9);
  });
});

/** With what of the words has 6 bits, so that chance can be counted. */
describe('a relay that grinds, with words of 64 kinds', () => {
  const RUNS = 2_000;
  const kind = (words: readonly string[]): number => words.join('').split('').reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % 64, 0);
  const owners = (): Promise<[Owner, Owner]> => Promise.all([new Owner().opened(), new Owner().opened()]);

  test('a relay that grinds before it commits hits as often as one that does not', async () => {
    let hits = 0;
    for (let run = 0; run < RUNS; run += 1) {
      const [a, b] = await owners();
      // Before they have said anything it can only suppose nonces: with those, what it commits to fits.
      let [forA, forB] = [randomBytes(NONCE_BYTES), randomBytes(NONCE_BYTES)];
      while (kind(a.with(forA)) !== kind(b.with(forB))) [forA, forB] = [randomBytes(NONCE_BYTES), randomBytes(NONCE_BYTES)];
      await a.commit(forA);
      await b.commit(forB);
      const [seenByA, seenByB] = [await a.reveal(forA), await b.reveal(forB)];
      expect([seenByA.length, seenByB.length]).toEqual([3, 3]);
      if (kind(seenByA) === kind(seenByB)) hits += 1;
    }
    within(hits, RUNS / 64);
  });

  test('a relay that grinds once it knows both nonces finds what fits, and each is refused: it is not what it committed to', async () => {
    let [found, shown, alike] = [0, 0, 0];
    for (let run = 0; run < RUNS; run += 1) {
      const [a, b] = await owners();
      const own = randomBytes(NONCE_BYTES);
      await a.commit(randomBytes(NONCE_BYTES));
      await b.commit(own);
      const target = kind(b.with(own));
      for (let grind = 0; grind < 3_000; grind += 1) {
        const nonce = randomBytes(NONCE_BYTES);
        if (kind(a.with(nonce)) !== target) continue;
        found += 1;
        const [seenByA, seenByB] = [await a.reveal(nonce), await b.reveal(own)];
        if (seenByA[0] !== 'not-acceptable') shown += 1;
        if (kind(seenByA) === kind(seenByB) && seenByA.length === 3) alike += 1;
        break;
      }
    }
    // One in 10^20 is missed.
    expect(found).toBe(RUNS);
    expect([shown, alike]).toEqual([0, 0]);
  });
});
