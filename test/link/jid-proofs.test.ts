import { beforeEach, describe, expect, test } from 'vitest';
import { createTestClock, type TestClock } from '../../src/clock.ts';
import type { PeerContext } from '../../src/link/context.ts';
import { JidProofs, NONCE_LASTS, RENEWAL } from '../../src/link/jid-proofs.ts';
import { Claims } from '../../src/trust/claims.ts';
import { type JidChallenge, NS_JID, parseChallenge, proofRequest, proofStatement } from '../../src/xep/jid-proof.ts';
import { attr, type Element, xml } from '../../src/xmpp/element.ts';
import { iqPayload } from '../../src/xmpp/stanza.ts';
import { keyPair, memoryRegistry } from '../trust/fixtures.ts';
import { quiet } from '../support/quiet.ts';

type Key = Awaited<ReturnType<typeof keyPair>>;
const [HOUR, DAY] = [3_600_000, 86_400_000] as const;

/** Boxes whose streams all end here, and one home that delivers what is sent to an account to the box that is there. */
class World {
  readonly clock: TestClock = createTestClock();
  readonly boxes = new Map<string, TestBox>();
  /** Everything that went through home: to whom, and what. */
  readonly home: { readonly to: string; readonly stanza: Element; readonly challenge: JidChallenge }[] = [];
  /** Whether the home delivers it. */
  delivers = true;
  online = true;
  /** Pairs of names with a stream between them. */
  linked = true;

  async box(name: string): Promise<TestBox> {
    const box = new TestBox(this, name, await keyPair());
    this.boxes.set(name, box);
    return box;
  }

  at(fingerprint: string): TestBox | undefined {
    return [...this.boxes.values()].find(({ key }) => key.fingerprint === fingerprint);
  }

  send(stanza: Element): void {
    const to = attr(stanza, 'to') ?? '';
    const element = stanza.getChild('prove', NS_JID);
    const challenge = element && parseChallenge(element);
    if (!challenge) throw new Error('no challenge');
    this.home.push({ to, stanza, challenge });
    if (this.delivers) this.boxes.get(to.split('@')[0] ?? '')?.proofs.asked(challenge, to);
  }
}

class TestBox {
  readonly name: string;
  readonly key: Key;
  readonly jid: string;
  readonly paired = new Set<string>();
  readonly claims: Claims;
  readonly proofs: JidProofs;
  readonly registry = memoryRegistry();
  /** What it sent over the link, and what came of it. */
  readonly answers: { readonly to: string; readonly error?: unknown }[] = [];
  changes = 0;

  constructor(world: World, name: string, key: Key) {
    this.name = name;
    this.key = key;
    this.jid = `${name}@home.test`;
    this.claims = new Claims({ registry: this.registry, clock: world.clock, boot: () => '1.a', trustedNow: () => world.clock.wall(), isPaired: (one) => this.paired.has(one) });
    const nameOf = (fingerprint: string): string | undefined => (world.linked ? world.at(fingerprint)?.name : undefined);
    this.proofs = new JidProofs({
      clock: world.clock, claims: this.claims, seal: key.seal, fingerprint: key.fingerprint, random: () => 0.5,
      isPaired: (one) => this.paired.has(one),
      nameOf, speaking: nameOf,
      prove: () => Promise.reject(new Error('not needed')),
      changed: () => { this.changes += 1; },
      home: {
        has: (jid) => jid === this.jid, accountFor: () => this.jid, reaches: () => world.online,
        send: async (_jid, build) => world.send(build()),
      },
      streams: {
        request: async (to, iq) => {
          const far = world.boxes.get(to);
          try {
            await far?.proofs.proved(iqPayload(iq) as Element, this.context);
            this.answers.push({ to });
          } catch (error) {
            this.answers.push({ to, error });
            throw error;
          }
          return iq;
        },
      },
    });
  }

  /** As its streams prove it. */
  get context(): PeerContext {
    return { kind: 'link', name: this.name, fingerprint: this.key.fingerprint, trust: 'paired', tls: true };
  }

  stateOf(fingerprint: string): string | undefined {
    return this.claims.of(fingerprint)[0]?.state;
  }
}

function pair(...boxes: TestBox[]): void {
  for (const one of boxes) for (const other of boxes) if (one !== other) one.paired.add(other.key.fingerprint);
}

describe('a proof of an account', () => {
  let world: World;
  let a: TestBox, b: TestBox, c: TestBox;
  const claim = async (whose: TestBox = b): Promise<void> => {
    await a.claims.claim(b.jid, whose.key.fingerprint);
    a.proofs.claimed(b.jid);
    await quiet();
  };
  /** What somebody says over its own stream to `a`. */
  const says = (who: TestBox, challenge: JidChallenge, { jid = b.jid, by = who.key }: { readonly jid?: string; readonly by?: Key } = {}): Promise<void> => {
    const proof = proofRequest({ nonce: challenge.nonce, jid, ...by.seal.seal('lanpost jid 1', proofStatement(challenge, jid)) });
    return a.proofs.proved(iqPayload(proof) as Element, who.context);
  };
  const lastChallenge = (): JidChallenge => world.home.at(-1)!.challenge;

  beforeEach(async () => {
    world = new World();
    [a, b, c] = [await world.box('a'), await world.box('b'), await world.box('c')];
    pair(a, b, c);
  });

  test('goes through home and comes back over the link', async () => {
    await claim();
    expect(a.claims.holder(b.jid)).toBe(b.key.fingerprint);
    expect([a.changes, world.home.length, b.answers]).toEqual([1, 1, [{ to: 'a' }]]);
  });

  test('is asked for in a way that no server keeps, copies or shows it', async () => {
    await claim();
    const [{ stanza } = { stanza: xml('message', {}) }] = world.home;
    expect(attr(stanza, 'type')).toBe('headline');
    expect(stanza.getChild('body')).toBeUndefined();
    expect(stanza.getChild('no-store', 'urn:xmpp:hints')).toBeDefined();
    expect(stanza.getChild('private', 'urn:xmpp:carbons:2')).toBeDefined();
  });

  test('is not believed of a nonce that was made up', async () => {
    world.delivers = false;
    await claim();
    await expect(says(b, { ...lastChallenge(), nonce: `${'A'.repeat(43)}=` })).rejects.toMatchObject({ condition: 'item-not-found' });
    expect(a.stateOf(b.key.fingerprint)).toBe('unproven');
  });

  test('is not believed when another key has signed it', async () => {
    world.delivers = false;
    await claim();
    await expect(says(b, lastChallenge(), { by: c.key })).rejects.toMatchObject({ condition: 'not-acceptable' });
    expect(a.claims.of(b.key.fingerprint)).toMatchObject([{ state: 'unproven', reason: expect.stringContaining('signature') }]);
  });

  test('is not believed of another peer, who does not use the nonce up by that', async () => {
    world.delivers = false;
    await claim();
    const challenge = lastChallenge();
    await expect(says(c, challenge)).rejects.toMatchObject({ condition: 'not-acceptable' });
    await expect(says(c, challenge, { by: b.key })).rejects.toMatchObject({ condition: 'not-acceptable' });
    await says(b, challenge);
    expect(a.claims.holder(b.jid)).toBe(b.key.fingerprint);
  });

  test('is believed once', async () => {
    await claim();
    await expect(says(b, lastChallenge())).rejects.toMatchObject({ condition: 'item-not-found' });
  });

  test('is not believed after two minutes, as when a server kept the nonce', async () => {
    world.delivers = false;
    await claim();
    const challenge = lastChallenge();
    world.clock.advance(NONCE_LASTS + 1);
    await expect(says(b, challenge)).rejects.toMatchObject({ condition: 'item-not-found' });
    expect(a.claims.of(b.key.fingerprint)).toMatchObject([{ state: 'unproven', reason: expect.stringContaining('no answer') }]);
  });

  test('is not believed of another account', async () => {
    world.delivers = false;
    await claim();
    await expect(says(b, lastChallenge(), { jid: 'other@home.test' })).rejects.toMatchObject({ condition: 'not-acceptable' });
  });

  test('is not taken of a peer that is not paired, nor of one without a key', async () => {
    world.delivers = false;
    await claim();
    const challenge = lastChallenge();
    a.paired.delete(b.key.fingerprint);
    await expect(says(b, challenge)).rejects.toMatchObject({ condition: 'forbidden' });
    const proof = iqPayload(proofRequest({ nonce: challenge.nonce, jid: b.jid, key: '', signature: '' })) as Element;
    const { fingerprint: _, ...keyless } = b.context;
    await expect(a.proofs.proved(proof, keyless)).rejects.toMatchObject({ condition: 'forbidden' });
  });

  test('of an account that a peer only says it has does not come from whoever has it', async () => {
    await claim(c); // the owner believes that it is c's; b has it
    expect(b.answers).toEqual([]);
    expect(a.stateOf(c.key.fingerprint)).toBe('unproven');
  });

  test('cannot be had by asking another box for it: what that signs is for who asks, and goes to it alone', async () => {
    world.delivers = false;
    await a.claims.claim(c.jid, c.key.fingerprint);
    a.proofs.claimed(c.jid);
    await quiet();
    // c passes the nonce on to b's account, in a's name and then in its own.
    b.proofs.asked({ ...lastChallenge(), asked: b.key.fingerprint }, b.jid);
    b.proofs.asked({ ...lastChallenge(), asker: c.key.fingerprint, asked: b.key.fingerprint }, b.jid);
    await quiet();
    expect(b.answers.map(({ error }) => (error as { condition?: string }).condition)).toEqual(['not-acceptable', 'item-not-found']);
    expect(a.stateOf(c.key.fingerprint)).toBe('unproven');
  });

  test('is tried again ever more seldom while nobody answers', async () => {
    world.delivers = false;
    await claim();
    for (let hour = 0; hour < 24; hour += 0.25) {
      world.clock.advance(HOUR / 4);
      await quiet();
    }
    expect(world.home.length).toBeGreaterThan(20);
    expect(world.home.length).toBeLessThan(40);
  });

  test('is not hammered for by a link or a home that comes and goes', async () => {
    world.delivers = false;
    await claim();
    for (let second = 0; second < 3600; second++) {
      world.clock.advance(1000);
      a.proofs.opened(b.key.fingerprint);
      a.proofs.opened();
    }
    await quiet();
    expect(world.home.length).toBeLessThanOrEqual(14);
  });

  test('waits for both roads, without counting that as a try', async () => {
    world.online = false;
    await claim();
    expect(a.claims.of(b.key.fingerprint)).toMatchObject([{ reason: 'no home of this box is connected' }]);
    world.linked = false;
    a.proofs.look();
    expect(a.claims.of(b.key.fingerprint)).toMatchObject([{ reason: 'the peer is not on the link' }]);
    world.online = world.linked = true;
    a.proofs.opened(b.key.fingerprint);
    world.clock.advance(2_000);
    await quiet();
    expect(a.claims.holder(b.jid)).toBe(b.key.fingerprint);
  });

  test('is renewed by itself before it is over, and once', async () => {
    await claim();
    const asked: number[] = [];
    for (let hour = 0; hour < 40 * 24; hour += 12) {
      world.clock.advance(12 * HOUR);
      await quiet();
      expect(a.claims.holder(b.jid)).toBe(b.key.fingerprint);
      asked.push(world.home.length);
    }
    // Not before it is 25 days old.
    expect([asked.lastIndexOf(1) / 2 >= RENEWAL.age / DAY, asked.at(-1)]).toEqual([true, 2]);
  });

  test('is asked for again at once when the owner says so', async () => {
    await claim();
    await claim();
    expect(world.home.length).toBe(2);
  });
});

describe('a challenge through home', () => {
  let world: World;
  let a: TestBox, b: TestBox;
  beforeEach(async () => {
    world = new World();
    [a, b] = [await world.box('a'), await world.box('b')];
    pair(a, b);
  });
  const from = (asker: string, asked = b.key.fingerprint): JidChallenge => ({ nonce: `${'B'.repeat(43)}=`, asker, asked });

  test('of a stranger, however many there are, is not answered, and leaves nothing behind', async () => {
    for (let n = 0; n < 10_000; n++) b.proofs.asked(from(n.toString(16).padStart(64, '0')), b.jid);
    await quiet();
    expect(b.answers).toEqual([]);
  });

  test('in the name of a paired key that is not on the link is not answered', async () => {
    world.linked = false;
    b.proofs.asked(from(a.key.fingerprint), b.jid);
    await quiet();
    expect(b.answers).toEqual([]);
  });

  test('in the name of a paired key is answered four times a minute', async () => {
    for (let n = 0; n < 1000; n++) b.proofs.asked(from(a.key.fingerprint), b.jid);
    await quiet();
    expect(b.answers.length).toBe(4);
    world.clock.advance(60_000);
    b.proofs.asked(from(a.key.fingerprint), b.jid);
    await quiet();
    expect(b.answers.length).toBe(5);
  });

  test('for another key at the same account is not answered', async () => {
    b.proofs.asked(from(a.key.fingerprint, '0'.repeat(64)), b.jid);
    await quiet();
    expect(b.answers).toEqual([]);
  });
});
