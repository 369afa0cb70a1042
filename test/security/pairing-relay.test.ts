import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { PairingEvent } from '../../src/api.ts';
import { type Clock, createTestClock, type TestClock } from '../../src/clock.ts';
import { commitment, pairingWords } from '../../src/trust/pairing-words.ts';
import { buildStep, NS_PAIRING, noWindow, parseNonce } from '../../src/xep/pairing.ts';
import type { Ends } from '../../src/link/streams-port.ts';
import { StanzaError } from '../../src/xmpp/stanza-error.ts';
import { seen, SimulatedLan, type TestBox } from '../link/fixtures.ts';
import { serviceBox, type ServiceBox } from '../link/service-box.ts';

let lan: SimulatedLan;
beforeEach(() => { lan = new SimulatedLan(); });
afterEach(() => lan.close());

/** What stands between the two boxes: to each owner it plays the other's box, with a key of its own. */
class Relay {
  readonly #towards: TestBox;
  readonly #victim: ServiceBox;
  #nonce: Uint8Array = Buffer.alloc(0);
  #theirs: Uint8Array = Buffer.alloc(0);

  constructor(towards: TestBox, victim: ServiceBox) {
    this.#towards = towards;
    this.#victim = victim;
    // It begins itself, so that it sees their nonce before it has to show its own.
    towards.dispatcher.iq('set', NS_PAIRING, 'pair', () => Promise.reject(noWindow()));
  }

  get name(): string {
    return this.#towards.name;
  }

  async commit(nonce?: Uint8Array): Promise<void> {
    for (;;) {
      this.#nonce = nonce ?? randomBytes(32);
      try {
        this.#theirs = parseNonce(await this.#towards.link.request(this.#victim.link.name, buildStep({ step: 'commit', commitment: commitment(this.#nonce) })));
        return;
      } catch (error) {
        if (!(error instanceof StanzaError && error.condition === 'conflict')) throw error;
      }
    }
  }

  /** What the victim would show, should this be revealed. */
  get words(): string {
    return this.wordsWith(this.#nonce);
  }

  /** What the victim would show, should that be revealed instead: it knows all that goes into it. */
  wordsWith(nonce: Uint8Array): string {
    const ends = this.#ends();
    if (!ends) throw new Error('no stream');
    return pairingWords({ first: { spki: ends.own, nonce }, second: { spki: ends.peer, nonce: this.#theirs }, binding: ends.binding }).join(' ');
  }

  async reveal(nonce = this.#nonce): Promise<void> {
    await this.#towards.link.request(this.#victim.link.name, buildStep({ step: 'reveal', nonce }));
  }

  /** Its stream breaks, and is resumed over another connection. */
  async reconnect(clock: TestClock): Promise<void> {
    const binding = (): string | undefined => this.#ends()?.binding.toString();
    const before = binding();
    const hosts = [this.#victim.link, this.#towards.link].flatMap((link) => link.interfaces()).flatMap(({ addresses }) => addresses).map(({ address }) => address);
    for (const socket of lan.sockets) if (hosts.includes(socket.remoteAddress ?? '')) socket.destroy();
    await lan.until(() => binding() === undefined);
    clock.advance(500);
    await lan.until(() => ![undefined, before].includes(binding()) && this.#victim.link.ends(this.name) !== undefined);
  }

  #ends(): Ends | undefined {
    return this.#towards.link.ends(this.#victim.link.name);
  }

  async say(): Promise<void> {
    await this.#towards.link.request(this.#victim.link.name, buildStep({ step: 'same', same: true }));
  }
}

/** Leaving the iteration would close the window. */
async function words(pairing: AsyncGenerator<PairingEvent>): Promise<string> {
  for (;;) {
    const { value, done } = await pairing.next() as IteratorResult<PairingEvent, void>;
    if (done === true) return 'over';
    if (value.type === 'words') return value.words.join(' ');
    if (value.type === 'failed') return value.reason;
  }
}

describe('a relay between two boxes that are being paired, with a key for each', () => {
  const setup = async (clock?: Clock): Promise<{ a: ServiceBox; b: ServiceBox; toA: Relay; toB: Relay; pairings: [AsyncGenerator<PairingEvent>, AsyncGenerator<PairingEvent>] }> => {
    const [a, b] = [await serviceBox(lan, 1, 'a', clock && { clock }), await serviceBox(lan, 2, 'b')];
    const [playsB, playsA] = [await lan.box(3, 'b', clock && { clock }), await lan.box(4, 'a')];
    await Promise.all([seen(a, playsB.name), seen(playsB, a.link.name), seen(b, playsA.name), seen(playsA, b.link.name)]);
    const [toA, toB] = [new Relay(playsB, a), new Relay(playsA, b)];
    const pairings: [AsyncGenerator<PairingEvent>, AsyncGenerator<PairingEvent>] = [a.service.pair(playsB.name), b.service.pair(playsA.name)];
    for (const pairing of pairings) expect((await pairing.next()).value).toMatchObject({ type: 'waiting' });
    return { a, b, toA, toB, pairings };
  };

  test('has a guess a try, and three tries a window, of 2^33; then the owners see words that differ', async () => {
    const { a, b, toA, toB, pairings } = await setup();
    await toB.commit();
    const guesses = new Set<string>();
    for (let tries = 0; tries < 3; tries += 1) {
      await toA.commit();
      guesses.add(`${toA.words} = ${toB.words}`);
    }
    for (let tries = 0; tries < 2; tries += 1) {
      await toB.commit();
      guesses.add(`${toA.words} = ${toB.words}`);
    }
    expect(guesses.size).toBe(5);
    for (const guess of guesses) expect(new Set(guess.split(' = ')).size).toBe(2);
    await Promise.all([toA.reveal(), toB.reveal()]);
    const [shownByA, shownByB] = await Promise.all(pairings.map(words));
    expect(shownByA).toBe(toA.words);
    expect(shownByB).toBe(toB.words);
    expect(shownByA).not.toBe(shownByB);
    // That the other side says yes is nothing without one's own owner.
    await toA.say();
    expect([...a.trust.list(), ...b.trust.list()].map(({ level }) => level)).not.toContain('paired');
  });

  test('cannot choose its nonce once it has seen the other one', async () => {
    const { toA, pairings } = await setup();
    await toA.commit();
    await expect(toA.reveal(randomBytes(32))).rejects.toMatchObject({ condition: 'not-acceptable' });
    // Nor try a fourth time.
    await toA.commit();
    await toA.commit();
    await expect(toA.commit()).rejects.toMatchObject({ condition: 'policy-violation' });
    expect(await words(pairings[0])).toBe('tries');
  });

  test('that has seen both nonces finds others with which the whole words are alike, by the hundred thousand, and none of them is taken', async () => {
    const { toA, toB, pairings } = await setup();
    await Promise.all([toA.commit(), toB.commit()]);
    // Of n nonces for each there are n² pairs, and one in 2^33 fits: found with some 90,000, and not with a million by one chance in 10^50.
    const [forA, forB] = [new Map<string, Uint8Array>(), new Map<string, Uint8Array>()];
    let pair: { readonly a: Uint8Array; readonly b: Uint8Array } | undefined;
    while (!pair && forA.size < 1_000_000) {
      const [a, b] = [randomBytes(32), randomBytes(32)];
      const [seenByA, seenByB] = [toA.wordsWith(a), toB.wordsWith(b)];
      forA.set(seenByA, a);
      forB.set(seenByB, b);
      const [fitsA, fitsB] = [forA.get(seenByB), forB.get(seenByA)];
      if (fitsA) pair = { a: fitsA, b };
      else if (fitsB) pair = { a, b: fitsB };
    }
    console.info(`after ${2 * forB.size} nonces both owners would see: ${pair && toA.wordsWith(pair.a)}`);
    if (!pair) throw new Error('nothing found');
    expect(toA.wordsWith(pair.a)).toBe(toB.wordsWith(pair.b));
    await expect(toA.reveal(pair.a)).rejects.toMatchObject({ condition: 'not-acceptable' });
    await expect(toB.reveal(pair.b)).rejects.toMatchObject({ condition: 'not-acceptable' });
    // Committed to now, they meet other nonces; and nothing is shown before that.
    await Promise.all([toA.commit(pair.a), toB.commit(pair.b)]);
    await Promise.all([toA.reveal(), toB.reveal()]);
    const [shownByA, shownByB] = await Promise.all(pairings.map(words));
    expect([shownByA, shownByB]).toEqual([toA.words, toB.words]);
    expect(shownByA).not.toBe(shownByB);
  });

  test('has no use for keys that it has prepared: a window is for the one that the owner opened it for', async () => {
    const { a, toA } = await setup();
    await toA.commit();
    const other = await lan.box(5, 'b');
    await seen(other, a.link.name);
    const commit = buildStep({ step: 'commit', commitment: commitment(randomBytes(32)) });
    await expect(other.link.request(a.link.name, commit)).rejects.toMatchObject({ condition: 'unexpected-request' });
  });

  test('cannot look for a connection on which the words fit: over another stream nothing is revealed, and the try is used up', async () => {
    const clock = createTestClock();
    const { toA, pairings } = await setup(clock);
    for (let tries = 0; tries < 3; tries += 1) {
      await toA.commit();
      await toA.reconnect(clock);
      await expect(toA.reveal()).rejects.toMatchObject({ condition: 'not-acceptable' });
      await expect(toA.reveal()).rejects.toMatchObject({ condition: 'unexpected-request' });
    }
    await expect(toA.commit()).rejects.toMatchObject({ condition: 'policy-violation' });
    expect(await words(pairings[0])).toBe('tries');
  });

  test('that reconnects for the two minutes of a window, until one word in 16 would fit, gets three tries and no words', async () => {
    const clock = createTestClock();
    const { toA, toB, pairings } = await setup(clock);
    const kind = (shown: string): number => shown.split('').reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % 16, 0);
    await toB.commit();
    await toA.commit();
    const end = clock.mono() + 120_000;
    let fits = 0;
    while (clock.mono() < end) {
      await toA.reconnect(clock);
      if (kind(toA.words) !== kind(toB.words)) continue;
      fits += 1;
      await expect(toA.reveal()).rejects.toMatchObject({ condition: 'not-acceptable' });
      const refused = await toA.commit().then(() => false, () => true);
      if (refused) break;
    }
    // Of 240 connections fifteen would fit.
    expect(fits).toBe(3);
    expect(await words(pairings[0])).toBe('tries');
  });

  test('once words are shown, shows no others for the same nonce over another stream', async () => {
    const clock = createTestClock();
    const { toA, pairings } = await setup(clock);
    await toA.commit();
    await toA.reveal();
    const shown = await words(pairings[0]);
    await toA.reconnect(clock);
    await expect(toA.reveal()).rejects.toMatchObject({ condition: 'unexpected-request' });
    expect(toA.words).not.toBe(shown);
    clock.advance(120_000);
    expect(await words(pairings[0])).toBe('expired');
  });
});
