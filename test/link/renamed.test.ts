// A peer is its key. What is wanted of it, and kept for it, finds it under whatever name it comes back.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createTestClock, type TestClock } from '../../src/clock.ts';
import { BOX_TEXT } from '../../src/link/claims.ts';
import { MemoryDatabase } from '../../src/log/memory-database.ts';
import { toPayload } from '../../src/payload/payload.ts';
import { OWNER } from '../../src/pubsub/actor.ts';
import { quiet } from '../support/quiet.ts';
import { seen, SimulatedLan } from './fixtures.ts';
import { serviceBox, type ServiceBox } from './service-box.ts';

let lan: SimulatedLan;
let a: ServiceBox;
let b: ServiceBox;
/** B's time, which stands still unless a test says otherwise. */
let time: TestClock;
let database: MemoryDatabase;
const publish = (value: unknown) => a.broker.publish(OWNER, 't', toPayload(value as never), {});

beforeEach(async () => {
  lan = new SimulatedLan();
  time = createTestClock();
  database = new MemoryDatabase();
  a = await serviceBox(lan, 1, 'a', { database });
  b = await serviceBox(lan, 2, 'b', { clock: time });
  await Promise.all([seen(a, b.link.name), seen(b, a.link.name)]);
  await a.trust.allow(b.identity.fingerprint, 'read', 't');
});
afterEach(() => lan.close());

/** A stops and is back under another name; its time stands still. */
async function renamed(name: string, host = 1): Promise<TestClock> {
  const before = a.link.name;
  await a.close();
  await lan.until(() => b.link.peers.get(before) === undefined);
  const clock = createTestClock();
  a = await serviceBox(lan, host, name, { database, identity: a.identity, clock });
  await seen(b, a.link.name);
  return clock;
}

/** Strangers that say they are boxes, at an address where nobody listens. */
function strangers(count: number): void {
  for (let i = 0; i < count; i += 1) {
    lan.announce({ instance: `stranger ${i}`, host: 'h9.local', port: 9, text: BOX_TEXT, addresses: [{ address: '10.77.0.9', family: 4, interface: 'eth0' }] });
  }
}

const pass = async (clock: TestClock, ms: number): Promise<void> => {
  for (let left = ms; left > 0; left -= 1000) {
    clock.advance(1000);
    await quiet();
  }
};

/** What has become of a letter after so many seconds at the most: a call that a busy machine is too slow for has its next turn. */
async function stateOf(box: ServiceBox, id: string, clock: TestClock, seconds: number): Promise<unknown> {
  for (let second = 0; second < seconds && await box.mail.state(id) === 'accepted'; second += 1) await pass(clock, 1_000);
  return box.mail.state(id);
}

describe('a publisher that comes back under another name', () => {
  test('calls the boxes that read there, and they go on reading', async () => {
    const reader = b.service.subscribe(a.link.name, 't', { durable: 'r', from: 'start' });
    await reader.ready;
    await publish(1);
    expect((await reader.next()).value).toMatchObject({ value: 1 });
    const clock = await renamed('another');
    await publish(2);
    await pass(clock, 16_000);
    expect((await reader.next()).value).toMatchObject({ value: 2 });
    expect(b.troubles).toContainEqual(expect.objectContaining({ kind: 'link.renamed-peer', message: 'a@h1 is called another@h1 now: it has the same key' }));
    await reader.close();
  });

  test('is found by who reads there, among strangers', async () => {
    const reader = b.service.subscribe(a.link.name, 't', { durable: 'r', from: 'start' });
    await reader.ready;
    strangers(40);
    await renamed('another');
    await publish(1);
    const dials = lan.dials.length;
    await pass(time, 11_000);
    expect((await reader.next()).value).toMatchObject({ value: 1 });
    expect(lan.dials.slice(dials)).toEqual(['2>10.77.0.1']);
    expect([...b.service.readers()][0]?.source).toEqual({ peer: 'another@h1', askedAs: 'a@h1', fingerprint: a.identity.fingerprint });
    await reader.close();
  });

  test('is found at once among strangers that say to be at its address', async () => {
    await b.trust.pair((await b.link.prove(a.link.name)).fingerprint);
    const { port } = a.link.status();
    expect(b.trust.placeOf(a.identity.fingerprint)).toMatchObject({ address: '10.77.0.1', port });
    const address = { address: '10.77.0.1', family: 4, interface: 'eth0' } as const;
    for (let i = 0; i < 200; i += 1) lan.announce({ instance: `stranger ${i}`, host: 'h1.local', port: 1 + i, text: BOX_TEXT, addresses: [address] });
    lan.rename('a@h1', 'another@h1');
    await seen(b, 'another@h1');
    await lan.until(() => b.link.ends('a@h1') === undefined && b.link.peers.get('a@h1') === undefined);
    const dials = lan.dials.length;
    const receipt = await b.mail.send('link:a@h1', 'for the key');
    // Who is called first is all that counts: while the call is under way its time stands still.
    for (let second = 0; second < 60 && lan.dials.length === dials; second += 1) await pass(time, 1_000);
    await receipt.delivered;
    expect(lan.dials.slice(dials)).toEqual(['2>10.77.0.1']);
  });

  test('is found by a reader that goes on by the name of before', async () => {
    const reader = b.service.subscribe(a.link.name, 't', { durable: 'r', from: 'start' });
    await reader.ready;
    await reader.close();
    await renamed('another');
    const again = b.service.subscribe('a@h1', 't', { durable: 'r', from: 'start' });
    await again.ready;
    await publish(1);
    await pass(time, 11_000);
    expect((await again.next()).value).toMatchObject({ value: 1 });
    await again.close();
  });

  test('gets the letters that were kept for it', async () => {
    await b.link.prove(a.link.name);
    await a.close();
    await lan.until(() => b.link.peers.get('a@h1') === undefined);
    const receipt = await b.mail.send('link:a@h1', 'for the key');
    await receipt.accepted;
    a = await serviceBox(lan, 1, 'another', { database, identity: a.identity, clock: createTestClock() });
    await seen(b, 'another@h1');
    await pass(time, 11_000);
    const inbox = a.mail.messages({ name: 'all' });
    expect((await inbox.next()).value).toMatchObject({ body: 'for the key', from: 'link:b@h2' });
    await receipt.delivered;
    await inbox.close();
  });

  test('is found although another has taken its name, and that one is told nothing', async () => {
    await b.trust.pair((await b.link.prove(a.link.name)).fingerprint);
    const reader = b.service.subscribe(a.link.name, 't', { durable: 'r', from: 'start' });
    await reader.ready;
    const before = a;
    await a.close();
    await lan.until(() => b.link.peers.get('a@h1') === undefined);
    const impostor = await serviceBox(lan, 5, 'impostor');
    lan.withdraw(impostor.link.name);
    lan.announce({ instance: 'a@h1', host: 'h5.local', port: impostor.link.status().port ?? 0, text: BOX_TEXT, addresses: [{ address: '10.77.0.5', family: 4, interface: 'eth0' }] });
    await seen(b, 'a@h1');
    a = await serviceBox(lan, 1, 'another', { database, identity: before.identity, clock: createTestClock() });
    await seen(b, 'another@h1');
    await publish(1);
    await pass(time, 11_000);
    expect((await reader.next()).value).toMatchObject({ value: 1 });
    expect(b.trust.holder('a@h1')).toBe(before.identity.fingerprint);
    await reader.close();
  });

  test('is found under a name that the key of a stranger was seen with', async () => {
    await b.trust.pair((await b.link.prove(a.link.name)).fingerprint);
    const stranger = await serviceBox(lan, 5, 'stranger');
    await seen(b, stranger.link.name);
    lan.withdraw(stranger.link.name);
    lan.announce({ instance: 'another@h1', host: 'h5.local', port: stranger.link.status().port ?? 0, text: BOX_TEXT, addresses: [{ address: '10.77.0.5', family: 4, interface: 'eth0' }] });
    await seen(b, 'another@h1');
    await b.link.prove('another@h1');
    lan.withdraw('another@h1');
    await stranger.close();
    await lan.until(() => b.link.peers.get('another@h1') === undefined);
    expect(b.trust.holder('another@h1')).toBe(stranger.identity.fingerprint);
    await a.close();
    await lan.until(() => b.link.peers.get('a@h1') === undefined);
    const receipt = await b.mail.send('link:a@h1', 'for the key');
    a = await serviceBox(lan, 1, 'another', { database, identity: a.identity, clock: createTestClock() });
    await seen(b, 'another@h1');
    const state = () => b.mail.state(receipt.id);
    // A call that a busy machine is too slow for has its next turn.
    for (let minute = 0; minute < 10 && await state() === 'accepted'; minute += 1) await pass(time, 60_000);
    expect(await state()).toBe('delivered');
  });
});

describe('a publisher that does not come back', () => {
  test('is said to be away, since when, in the list of readers and once among the troubles', async () => {
    const reader = b.service.subscribe(a.link.name, 't', { durable: 'r', from: 'start' });
    await reader.ready;
    const source = () => [...b.service.readers()][0]?.source;
    expect(source()).not.toHaveProperty('awaySince');
    await a.close();
    await lan.until(() => source()?.awaySince !== undefined);
    expect(source()).toEqual({ peer: 'a@h1', fingerprint: a.identity.fingerprint, awaySince: time.wall() });
    await pass(time, 30_000);
    time.advance(600_000);
    expect(b.troubles.filter(({ kind }) => kind === 'link.away')).toEqual([expect.objectContaining({ message: expect.stringContaining('a@h1 is away since ') })]);
    await reader.close();
  });

  test('has strangers called for it, and they are told nothing, not noted and not kept', async () => {
    await b.trust.pair((await b.link.prove(a.link.name)).fingerprint);
    await a.close();
    await lan.until(() => b.link.peers.get('a@h1') === undefined);
    const stranger = await serviceBox(lan, 5, 'stranger');
    await seen(b, stranger.link.name);
    await b.mail.send('link:a@h1', 'for the key');
    const dials = lan.dials.length;
    await pass(time, 11_000);
    expect(lan.dials.slice(dials)).toEqual(['2>10.77.0.5']);
    await lan.until(() => ![...lan.sockets].some(({ destroyed }) => !destroyed));
    expect(b.trust.list().map(({ fingerprint }) => fingerprint)).toEqual([a.identity.fingerprint]);
    expect(b.troubles.map(({ kind }) => kind)).not.toContain('link.unknown');
  });

  test('has no more than six strangers a minute called for it', async () => {
    const reader = b.service.subscribe(a.link.name, 't', { durable: 'r', from: 'start' });
    await reader.ready;
    await a.close();
    strangers(90);
    const dials = lan.dials.length;
    await pass(time, 60_000);
    expect(lan.dials.length - dials).toBeLessThanOrEqual(7);
    expect(lan.dials.length).toBeGreaterThan(dials);
    await reader.close();
  });
});

describe('a paired box that was renamed, where strangers fill the list of peers', () => {
  const LIMIT = 20;
  let full: ServiceBox;
  let clock: TestClock;
  let again: ServiceBox;

  /** Two that are paired; then there is no room left, and one is back under another name. */
  const scene = async (count: number): Promise<void> => {
    clock = createTestClock();
    full = await serviceBox(lan, 3, 'full', { limits: { peers: LIMIT }, clock });
    const before = await serviceBox(lan, 4, 'pal');
    await Promise.all([seen(full, before.link.name), seen(before, full.link.name)]);
    await full.trust.pair((await full.link.prove(before.link.name)).fingerprint);
    await before.trust.pair((await before.link.prove(full.link.name)).fingerprint);
    await before.close();
    await lan.until(() => full.link.peers.get(before.link.name) === undefined);
    strangers(count);
    again = await serviceBox(lan, 4, 'pal-1', { identity: before.identity });
    await seen(again, full.link.name);
  };
  const isListed = (): boolean => full.link.peers.get('pal-1@h4') !== undefined;

  test('is let in when it calls, and is listed from then on', async () => {
    await scene(2 * LIMIT);
    expect(isListed()).toBe(false);
    const receipt = await again.mail.send('link:full@h3', 'from the key');
    // Its call is let wait for its announcement first.
    expect(await stateOf(again, receipt.id, clock, 900)).toBe('delivered');
    expect(isListed()).toBe(true);
    expect(full.link.peers.describe('pal-1@h4')).toMatchObject({ trust: 'paired', fingerprint: again.identity.fingerprint, port: again.link.status().port });
  });

  test('is found by who has something for it', async () => {
    await scene(2 * LIMIT);
    const receipt = await full.mail.send('link:pal@h4', 'for the key');
    expect(await stateOf(full, receipt.id, clock, 900)).toBe('delivered');
    expect(isListed()).toBe(true);
  });

  test('but a stranger that calls under a name there is no room for is not, and leaves nothing behind', async () => {
    await scene(2 * LIMIT);
    const stranger = await serviceBox(lan, 5, 'stranger');
    await seen(stranger, full.link.name);
    const keys = full.trust.list().length;
    const call = stranger.link.prove(full.link.name).catch(() => undefined); // how it ends for the stranger is of no account
    const isRefused = (): boolean => full.troubles.some(({ kind }) => kind === 'link.unknown');
    // Its call is let wait for its announcement first.
    for (let second = 0; second < 900 && !isRefused(); second += 1) await pass(clock, 1_000);
    await call;
    await lan.until(() => full.link.ends(stranger.link.name) === undefined);
    expect(full.link.peers.get(stranger.link.name)).toBeUndefined();
    expect(full.trust.list().length).toBe(keys);
    expect(isRefused()).toBe(true);
  });
});
