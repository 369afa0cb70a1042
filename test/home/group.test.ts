import { expect, test } from 'vitest';
import { createTestClock, type TestClock } from '../../src/clock.ts';
import { HomeGroup, type Member } from '../../src/home/group.ts';
import { attr, type Element } from '../../src/xmpp/element.ts';
import { quiet } from '../support/quiet.ts';
import { Bell } from '../support/bell.ts';
import { startFakeHome, type FakeHome } from './fake-home.ts';
import { createRig, type Rig } from './rig.ts';
import { stored } from './stored.ts';

interface Fake extends Member { online: boolean; carrying: boolean }
const member = (jid: string, rank: number, online = true): Fake => ({ jid, rank, online, carrying: false, async carry(on) { this.carrying = on; } });

/** The home of a rank in its group, as it stands; and time that passes until something is so, for 20 s at most. */
function watching(rig: Rig, clock: TestClock) {
  const settle = async (fits: () => boolean | Promise<boolean>): Promise<void> => {
    for (let i = 0; i < 200 && !await fits(); i++) {
      await quiet();
      clock.advance(100);
    }
    if (!await fits()) throw new Error(`not so within 20 s: ${fits.toString()}`);
  };
  return { of: async (rank: number) => (await rig.homes.list()).find((status) => status.group?.rank === rank), settle };
}

test('the lowest rank reads; another when it has been away for 30 s, and it again when it has been there for 60', async () => {
  const clock = createTestClock();
  const [a, b, c] = [member('a@x', 0), member('b@x', 1), member('c@x', 2, false)];
  const group = new HomeGroup({ clock, members: [c, b, a], failed: () => undefined });
  const reads = async (ms: number): Promise<string[]> => {
    group.changed();
    clock.advance(ms);
    await quiet();
    return [a, b, c].filter(({ carrying }) => carrying).map(({ jid }) => jid);
  };
  await group.start();
  expect(await reads(100_000)).toEqual(['a@x']);
  a.online = false;
  expect(await reads(29_999)).toEqual(['a@x']);
  expect(await reads(1)).toEqual(['b@x']);
  a.online = true;
  expect(await reads(59_999)).toEqual(['b@x']);
  a.online = false;
  expect(await reads(60_000)).toEqual(['b@x']);
  a.online = true;
  expect(await reads(60_000)).toEqual(['a@x']);
  // Nobody is there: whoever read last goes on when it comes back.
  [a.online, b.online] = [false, false];
  expect(await reads(600_000)).toEqual(['a@x']);
  c.online = true;
  expect(await reads(30_000)).toEqual(['c@x']);
  await group.close();
});

test('one that cannot begin to read is tried again, later and later, until it does or another is to', async () => {
  const clock = createTestClock();
  const [a, b] = [member('a@x', 0), member('b@x', 1)];
  let tries = 0;
  const told: unknown[] = [];
  const full = new Error('disk full');
  const group = new HomeGroup({
    clock, failed: (error) => told.push(error),
    members: [a, { jid: 'b@x', rank: 1, get online() { return b.online; }, carry: async (on) => {
      if (on && ++tries < 4) throw full;
      await b.carry(on);
    } }],
  });
  const pass = async (...ms: number[]): Promise<number> => {
    for (const one of ms) {
      clock.advance(one);
      await quiet();
    }
    return tries;
  };
  await group.start();
  a.online = false;
  group.changed();
  expect([await pass(30_000), await pass(999), await pass(1), await pass(1_999), await pass(1), await pass(3_999)]).toEqual([1, 1, 2, 2, 3, 3]);
  expect(b.carrying).toBe(false);
  await pass(1);
  expect([b.carrying, a.carrying]).toEqual([true, false]);
  expect(told).toEqual([full, full, full]);
  await group.close();
});

test('one that waits for another try gives way to the one that is there again, and to the end', async () => {
  const clock = createTestClock();
  const [a, c] = [member('a@x', 0), member('c@x', 2)];
  const b: Member = { jid: 'b@x', rank: 1, online: true, carry: async (on) => { if (on) throw new Error('disk full'); } };
  const group = new HomeGroup({ clock, members: [a, b, c], failed: () => undefined });
  await group.start();
  for (const online of [false, true]) {
    a.online = online;
    group.changed();
    clock.advance(60_000);
    await quiet();
    expect(a.carrying).toBe(online);
  }
  a.online = false;
  group.changed();
  clock.advance(60_000);
  await quiet();
  await group.close();
});

const ids = (home: FakeHome): string[] => home.stanzas.map((stanza) => stanza.getChild('pubsub')?.getChild('publish')?.getChild('item')?.getChild('record')).filter((record): record is Element => record !== undefined).map((record) => attr(record, 'id') ?? '');

test('what the first had not safely goes to the second under the same record ids, and nothing that the first had settled', async () => {
  const clock = createTestClock();
  await using rig = await createRig({ clock });
  const second = await startFakeHome(new Bell());
  try {
    const { home } = rig;
    await rig.homes.add({ ...home.account, topics: ['#'], group: 'plant', rank: 0 });
    await rig.homes.add({ ...second.account, jid: 'box@home.test'.replace('box', 'other'), topics: ['t'], group: 'plant', rank: 1 });
    const { of, settle } = watching(rig, clock);
    await settle(async () => (await of(0))?.state === 'online' && (await of(1))?.state === 'online');
    // Whoever was added last says what goes up, for both.
    expect([(await of(0))?.topics, (await of(1))?.topics]).toEqual([['t'], ['t']]);
    expect([(await of(0))?.group?.active, (await of(1))?.group?.active]).toEqual([true, false]);
    await rig.publish('t', 'one', 'two');
    await settle(async () => (await of(0))?.queued === 0);
    home.set.answer = (_iq, what) => (what === 'publish' ? 'silence' : undefined);
    await rig.publish('t', 'three', 'four');
    await settle(() => ids(home).length === 4);
    await home.close();
    await settle(async () => (await of(0))?.state !== 'online');
    clock.advance(31_000);
    await settle(() => ids(second).length === 2);
    expect(ids(second)).toEqual(ids(home).slice(2));
    await settle(async () => (await of(1))?.queued === 0);
    expect((await of(1))?.group?.active).toBe(true);
    await rig.homes.remove('box@home.test');
    await rig.publish('t', 'five');
    await settle(() => ids(second).length === 3);
    expect([...rig.log.cursors()].map(({ name }) => name)).toEqual(['home:*plant t']);
  } finally {
    await second.close();
  }
});

test('what a reader knows of those before it may stay where the disk takes nothing: it reads all the same', async () => {
  const clock = createTestClock();
  await using rig = await createRig({ clock });
  const second = await startFakeHome(new Bell());
  try {
    const { home } = rig;
    const { of, settle } = watching(rig, clock);
    await rig.homes.add({ ...home.account, topics: ['t'], group: 'plant', rank: 0 });
    await rig.homes.add({ ...second.account, jid: 'other@home.test', topics: ['t'], group: 'plant', rank: 1 });
    await rig.publish('t', 'one');
    await settle(async () => (await of(0))?.queued === 0);
    // Its reader knows from now on what the one before it had done.
    await rig.homes.add({ ...home.account, topics: ['#'], group: 'plant', rank: 0 });
    await rig.publish('t', 'two');
    await settle(async () => (await of(0))?.queued === 0 && (await of(1))?.state === 'online');
    rig.database.failure = new Error('ENOSPC');
    await home.close();
    await settle(async () => (await of(0))?.state !== 'online');
    clock.advance(31_000);
    await quiet();
    rig.database.failure = undefined;
    await rig.until(() => rig.log.state === 'open');
    await rig.publish('t', 'three');
    const three = (await rig.log.items('t')).at(-1)?.recordId ?? '';
    await settle(() => ids(second).includes(three));
    expect(ids(second)).toContain(three);
  } finally {
    await second.close();
  }
});

const packed = { topics: [], up: [{ filter: '#', pack: true }] };
const recordsAt = (home: FakeHome): string[] => stored(home, 't').map(({ recordId }) => recordId);
const publishes = (home: FakeHome): number => home.stanzas.filter((stanza) => stanza.getChild('pubsub')?.getChild('publish')).length;

test('a home has a record once, whatever the others of its group have it in: alone there, or in another pack', async () => {
  const clock = createTestClock();
  await using rig = await createRig({ clock, limits: { settle: 3_600_000 } });
  const second = await startFakeHome(new Bell());
  try {
    const { home } = rig;
    const { of, settle } = watching(rig, clock);
    await rig.homes.add({ ...home.account, ...packed, group: 'plant', rank: 0 });
    await rig.homes.add({ ...second.account, jid: 'other@home.test', ...packed, group: 'plant', rank: 1 });
    await settle(async () => (await of(0))?.state === 'online' && (await of(1))?.state === 'online');
    let count = 0;
    const publish = (more: number): Promise<void> => rig.publish('t', ...Array.from({ length: more }, () => count++));
    for (let i = 0; i < 4; i++) {
      await publish(20);
      await settle(() => recordsAt(home).length === count);
    }
    for (let i = 0; i < 20; i++) {
      await publish(1);
      await settle(() => recordsAt(home).length === count);
    }
    await rig.homes.pause(home.account.jid);
    await publish(50);
    clock.advance(31_000);
    await settle(() => recordsAt(second).length === count);
    expect(second.nodes.get('t')?.size).toBeLessThan(home.nodes.get('t')?.size ?? 0);

    await rig.restart();
    await settle(async () => (await of(1))?.state === 'online');
    clock.advance(31_000);
    await publish(20);
    await settle(() => new Set(recordsAt(second)).size === count);
    await rig.homes.resume(home.account.jid);
    await settle(async () => (await of(0))?.state === 'online');
    clock.advance(61_000);
    await publish(20);
    await settle(() => new Set(recordsAt(home)).size === count);
    expect([recordsAt(home).length, recordsAt(second).length]).toEqual([count, count - 20]);
    expect([publishes(home), publishes(second)]).toEqual([home.nodes.get('t')?.size, second.nodes.get('t')?.size]);
  } finally {
    await second.close();
  }
});

test('who comes to a group of its own, or leaves it, goes on where it was: nothing goes up once more, alone or in a pack', async () => {
  await using rig = await createRig({ limits: { settle: 3_600_000 } });
  const { home } = rig;
  await rig.publish('t', ...Array.from({ length: 300 }, (_, n) => n));
  await rig.add(packed);
  await rig.until(() => recordsAt(home).length === 300);
  await rig.homes.close();
  await rig.restart({ limits: { settle: 100 } });
  home.set.before = (stanza): 'drop' | undefined => (stanza.getChild('pubsub')?.getChild('publish')?.getChild('item')?.getChild('record') ? 'drop' : undefined);
  await rig.publish('t', 300);
  await rig.add({ ...packed, group: 'plant' });
  home.set.before = () => undefined;
  await rig.drained();
  const before = publishes(home);
  expect(new Set(recordsAt(home)).size).toBe(301);
  expect(recordsAt(home)).toHaveLength(301);
  await rig.add(packed);
  await rig.publish('t', 301);
  await rig.drained();
  expect([publishes(home) - before, recordsAt(home).length]).toEqual([1, 302]);
  expect([...rig.log.cursors()].map(({ name }) => name)).toEqual([expect.stringMatching(/^home:box@home\.test/)]);
  await rig.until(() => rig.log.registry.entries('pack:').length === 0);
});

test('who leaves others of its group is asked what it has, and gets the rest of what the log holds: nothing twice', async () => {
  await using rig = await createRig();
  const second = await startFakeHome(new Bell());
  try {
    const { home } = rig;
    const drained = (): Promise<void> => rig.until(async () => (await rig.homes.list()).every(({ queued }) => queued === 0));
    const group = { topics: ['#'], group: 'plant' };
    await rig.publish('t', ...Array.from({ length: 30 }, (_, n) => n));
    await rig.homes.add({ ...second.account, jid: 'other@home.test', ...group, rank: 1 });
    await rig.until(() => ids(second).length === 30);
    await drained();
    await rig.add({ ...group, rank: 0 });
    await rig.publish('t', ...Array.from({ length: 30 }, (_, n) => 30 + n));
    await rig.until(() => ids(home).length >= 30);
    await drained();
    expect(ids(home)).toHaveLength(30);
    await rig.add({ topics: ['#'] });
    await rig.publish('t', 60);
    await drained();
    expect([new Set(ids(home)).size, ids(home).length]).toEqual([61, 61]);
    expect(rig.log.registry.get('home-left:box@home.test')).toBeGreaterThan(0);
    await rig.add({ topics: ['#'], group: 'alone' });
    expect(rig.log.registry.get('home-left:*alone')).toBeGreaterThan(0);
    await rig.homes.remove('box@home.test');
    expect(rig.log.registry.entries('home-left:')).toEqual([]);
  } finally {
    await second.close();
  }
});

test('of a backlog nothing is lost, and its order is kept, as homes join and leave', async () => {
  await using rig = await createRig();
  const second = await startFakeHome(new Bell());
  try {
    const { home } = rig;
    const group = { topics: ['#'], group: 'plant' };
    home.set.before = (stanza): 'drop' | undefined => (stanza.getChild('pubsub')?.getChild('publish') ? 'drop' : undefined);
    await rig.add({ topics: ['#'] });
    await rig.publish('t', ...Array.from({ length: 50 }, (_, n) => n));
    await rig.add(group);
    await rig.homes.add({ ...second.account, jid: 'other@home.test', ...group, rank: 1 });
    await rig.publish('t', 50);
    await rig.homes.remove(home.account.jid);
    await rig.until(() => recordsAt(second).length === 51);
    expect(ids(second)).toEqual((await rig.log.items('t')).map(({ recordId }) => recordId));
    home.set.before = () => undefined;
    await rig.add({ ...group, rank: 0 });
    await rig.publish('t', 51);
    await rig.until(() => new Set([...recordsAt(second), ...recordsAt(home)]).size === 52);
  } finally {
    await second.close();
  }
});

test('readers of a change that was cut short are dropped when the box starts: they would keep the log for ever', async () => {
  await using rig = await createRig();
  await rig.add({ topics: ['t'] });
  for (const name of ['home:*plant #', 'home:gone@home.test#2 t']) await (await rig.log.cursor({ name, filter: '#', from: 'start', durable: true })).close();
  await (await rig.log.cursor({ name: 'local:home', filter: '#', from: 'start', durable: true })).close();
  await rig.restart();
  expect([...rig.log.cursors()].map(({ name }) => name).toSorted()).toEqual(['home:box@home.test t', 'local:home']);
});
