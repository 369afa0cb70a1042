// Two boxes: the author has no road to its home, and the carrier has. Files go between them.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createSystemClock } from '../../src/clock.ts';
import type { CarriedOutbox } from '../../src/home/carried/carried.ts';
import { toAccount } from '../../src/home/account.ts';
import { Carriers } from '../../src/home/carried/carriers.ts';
import { writeExport } from '../../src/home/carried/exporting.ts';
import { Runs } from '../../src/home/carried/runs.ts';
import { createHomes, type Homes } from '../../src/home/homes.ts';
import { recordsOf } from '../../src/home/pack-element.ts';
import { Packs } from '../../src/home/packs.ts';
import { type Log, openLog } from '../../src/log/log.ts';
import { MemoryDatabase } from '../../src/log/memory-database.ts';
import { toPayload } from '../../src/payload/payload.ts';
import { type Identity, loadIdentity } from '../../src/trust/identity.ts';
import { Sealer } from '../../src/trust/seal.ts';
import { attr, xml } from '../../src/xmpp/element.ts';
import { Bell } from '../support/bell.ts';
import { type FakeHome, startFakeHome } from './fake-home.ts';

const DAY = 24 * 3_600_000;

interface Side {
  readonly identity: Identity;
  readonly log: Log;
  readonly homes: Homes;
  readonly outbox: CarriedOutbox;
}

let dir: string;
let bell: Bell;
let home: FakeHome;
let a: Side;
let b: Side;
let paired: Set<string>;
let ahead = 0;
/** Of the time of both, which no clock has to be set for. */
let passed = 0;
let port: number;
/** Of a. */
let database: MemoryDatabase;
const signal = new AbortController().signal;
const file = (name: string): string => join(dir, name);

async function side(name: string, store: MemoryDatabase = new MemoryDatabase()): Promise<Side> {
  const identity = await loadIdentity(mkdtempSync(join(dir, name)), { machine: 'test' });
  const system = createSystemClock();
  const clock = bell.heard({ ...system, wall: () => system.wall() + passed + ahead, mono: () => system.mono() + passed, isSet: () => true, after: (ms, call) => system.after(ms, call), every: (ms, call) => system.every(ms, call) });
  const log = await openLog({ database: store, clock, boxId: identity.boxId, trouble: bell.ring });
  const homes = createHomes({ log, clock, trouble: bell.ring, boxId: identity.boxId, limits: { settle: 100 }, random: () => 0, opened: bell.ring });
  const outbox = await homes.outbox({ identity, sealer: new Sealer(identity), isPaired: (key) => paired.has(key), nameOf: () => name });
  return { identity, log, homes, outbox };
}

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'lanpost-carried-'));
  bell = new Bell();
  home = await startFakeHome(bell);
  ahead = 0;
  passed = 0;
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const bound = server.address();
  port = typeof bound === 'object' ? bound?.port ?? 1 : 1;
  server.close();
  await once(server, 'close');
  database = new MemoryDatabase();
  [a, b] = [await side('a', database), await side('b')];
  paired = new Set([a.identity.fingerprint, b.identity.fingerprint]);
  // Nothing listens there.
  await a.homes.add({ ...home.account, port, topics: ['plant/#'] });
  await b.homes.add({ ...home.account, jid: 'other@home.test' });
  await new Carriers(a.log.registry).add({ fingerprint: b.identity.fingerprint, spki: b.identity.spki, account: 'other@home.test', jid: home.account.jid });
  home.nodes.set('plant/x', new Map());
});
afterEach(async () => {
  for (const { homes, log } of [a, b]) {
    await homes.close();
    await log.close();
  }
  await home.close();
  rmSync(dir, { recursive: true, force: true });
});

const publish = async (topic: string, ...values: (string | number)[]): Promise<void> => {
  await Promise.all(values.map((value) => a.log.append({ topic, kind: 'publish', payload: toPayload(value) })));
};
const exported = (name = 'out', expires?: number): ReturnType<CarriedOutbox['export']> => a.outbox.export(file(name), b.identity.fingerprint, expires);
const imported = (name = 'out'): ReturnType<CarriedOutbox['import']> => b.outbox.import(file(name), file(`${name}.confirmed`), signal);
const queued = async (): Promise<number | undefined> => (await a.homes.list())[0]?.queued;
const publishes = (): Element[] => home.stanzas.flatMap((stanza) => stanza.getChild('pubsub')?.getChild('publish') ?? []);
type Element = FakeHome['stanzas'][number];

describe('what waits, carried in a file', () => {
  test('comes to its home under its own ids, is confirmed, and waits no more', async () => {
    await publish('plant/x', ...Array.from({ length: 300 }, (_, n) => n));
    await publish('elsewhere', 'not of the home');
    expect(await exported()).toMatchObject({ records: 300, more: false });
    expect(readFileSync(file('out')).includes('plant/x')).toBe(false);
    expect(await imported()).toMatchObject({ author: a.identity.fingerprint, records: 300, published: 300, present: 0, refused: 0 });
    const node = home.nodes.get('plant/x');
    expect([...node?.keys() ?? []].every((id) => id.startsWith(`${a.identity.boxId}-`))).toBe(true);
    expect(node?.size).toBe(300);
    expect(await queued()).toBe(300);
    expect(await a.outbox.confirm(file('out.confirmed'))).toMatchObject({ records: 300 });
    await bell.until(async () => await queued() === 0);
    // Once more changes nothing.
    const before = home.stanzas.length;
    expect(await imported()).toMatchObject({ records: 300, published: 0, present: 300 });
    expect(home.stanzas.slice(before).filter((stanza) => stanza.getChild('pubsub'))).toEqual([]);
    expect(await a.outbox.confirm(file('out.confirmed'))).toMatchObject({ records: 300 });
    await publish('plant/x', 'new');
    expect(await queued()).toBe(1);
  });

  test('is one item with what its author publishes itself when it gets there first', async () => {
    await publish('plant/x', 1, 2, 3);
    await exported();
    await b.homes.remove('other@home.test');
    await a.homes.add({ ...home.account, topics: ['plant/#'] });
    await bell.until(async () => await queued() === 0);
    await a.homes.remove(home.account.jid);
    await b.homes.add({ ...home.account, jid: 'other@home.test' });
    const before = publishes().length;
    expect(await imported()).toMatchObject({ records: 3, published: 0, present: 3 });
    expect([publishes().length, home.nodes.get('plant/x')?.size]).toEqual([before, 3]);
  });

  test('leaves out items whose id was chosen: they may be updated before the file arrives', async () => {
    await a.log.append({ topic: 'plant/x', kind: 'publish', id: 'state', payload: toPayload('old') });
    await publish('plant/x', 1);
    expect(await exported()).toMatchObject({ records: 1 });
    await imported();
    await a.outbox.confirm(file('out.confirmed'));
    await bell.until(async () => await queued() === 1);
  });

  test('is looked for by its author before that sends it, as long as it is not confirmed', async () => {
    await publish('plant/x', ...Array.from({ length: 250 }, (_, n) => n));
    await exported();
    await publish('plant/x', 'later');
    await imported();
    await b.homes.remove('other@home.test');
    const before = publishes().length;
    await a.homes.add({ ...home.account, topics: ['plant/#'] });
    await bell.until(async () => await queued() === 0);
    expect([publishes().length - before, home.nodes.get('plant/x')?.size]).toEqual([1, 251]);
  });

  test('waits at its author until it is confirmed, whatever is published meanwhile, also over another rule of what goes up', async () => {
    await publish('plant/x', 1, 2);
    await publish('other', 'between');
    await publish('plant/x', 3);
    await exported();
    await imported();
    await a.outbox.confirm(file('out.confirmed'));
    await bell.until(async () => await queued() === 0);
    // What lies between is not taken for confirmed when a rule comes that wants it.
    await a.homes.add({ ...home.account, port, topics: ['plant/#', 'other'] });
    expect(await queued()).toBe(1);
  });

  test('leaves out topics that keep only the newest, and those that go up packed', async () => {
    await a.log.append({ topic: 'plant/latest', kind: 'configure', config: { lane: 'latest' } });
    await publish('plant/latest', 1);
    await expect(exported()).rejects.toMatchObject({ code: 'not-found' });
    await a.homes.add({ ...home.account, port, up: [{ filter: 'plant/#', pack: true }] });
    await publish('plant/x', 1);
    await expect(exported()).rejects.toMatchObject({ code: 'not-found' });
    await expect(async () => readFileSync(file('out'))).rejects.toThrow('ENOENT');
  });

  const many = (count: number): number[] => Array.from({ length: count }, (_, n) => n);
  const packed = { filter: 'plant/#', pack: true };
  /** Ids of all records that were published, in packs or alone. */
  const sent = (): string[] => publishes().flatMap((one) => recordsOf(one.getChild('item') ?? xml('item')).map(({ recordId }) => recordId));

  test.each([['looked for', false], ['confirmed', true]])('stands in no pack when the rules come to pack: it is %s', async (_, confirm) => {
    await publish('plant/x', ...many(40));
    await exported();
    await publish('plant/x', ...many(40));
    await imported();
    if (confirm) await a.outbox.confirm(file('out.confirmed'));
    await b.homes.remove('other@home.test');
    await a.homes.add({ ...home.account, up: [packed] });
    await bell.until(async () => await queued() === 0);
    expect([sent().length, new Set(sent()).size]).toEqual([80, 80]);
    expect(publishes().some((one) => one.getChild('item')?.getChild('pack'))).toBe(true);
  });

  test('leaves out what a pack of earlier rules may have brought home', async () => {
    await publish('plant/x', ...many(10));
    const { head } = a.log;
    await new Packs(a.log.registry, home.account.jid).plan('plant/x', [{ id: 'p', first: head - 3, last: head, count: 4, bytes: 1_000 }]);
    expect(await exported()).toMatchObject({ records: 6 });
  });

  test('of a group is what its one reader has before it; confirmed, no home of it sends it', async () => {
    const group = { group: 'plant', topics: ['plant/#'] };
    await a.homes.add({ ...home.account, port, ...group });
    await a.homes.add({ ...home.account, jid: 'third@home.test', port, rank: 1, ...group });
    await publish('plant/x', 1, 2, 3);
    expect(await exported()).toMatchObject({ records: 3 });
    await imported();
    expect(await a.outbox.confirm(file('out.confirmed'))).toMatchObject({ records: 3 });
    await bell.until(async () => await queued() === 0);
    await a.homes.add({ ...home.account, jid: 'third@home.test', port, rank: 1, ...group });
    expect(await queued()).toBe(0);
  });

  test('is looked for also when its author comes to read for a group, from the beginning', async () => {
    await publish('plant/x', 1, 2, 3);
    await exported();
    await imported();
    await a.outbox.confirm(file('out.confirmed'));
    await b.homes.remove('other@home.test');
    const before = publishes().length;
    await a.homes.add({ ...home.account, topics: ['plant/#'], group: 'plant' });
    await publish('plant/x', 4);
    await bell.until(async () => await queued() === 0);
    expect(publishes().length - before).toBe(1);
  });

  test('is known of before it can be read: a power cut while it is written leaves no file that nobody remembers', async () => {
    await publish('plant/x', 1, 2, 3);
    const whole: boolean[] = [];
    const batch = database.batch.bind(database);
    database.batch = () => {
      const one = batch();
      return {
        ...one,
        write: async (options) => {
          const known = new Carriers(a.log.registry).exports().length > 0;
          const reads = await b.outbox.import(file('out'), file('c'), signal).then(() => true, () => false);
          whole.push(reads && !known);
          await one.write(options);
        },
      };
    };
    await exported();
    database.batch = batch;
    expect([whole.length > 0, whole.includes(true)]).toEqual([true, false]);
    expect(await imported()).toMatchObject({ records: 3 });
  });

  test('a file that could not be signed is forgotten, and what was in it need not be looked for', async () => {
    await publish('plant/x', 1);
    database.failure = new Error('ENOSPC');
    await expect(exported()).rejects.toMatchObject({ code: 'disk-full' });
    database.failure = undefined;
    expect(existsSync(file('out'))).toBe(false);
  });

  test('no jump of the clock has a file forgotten that may yet be carried', async () => {
    await publish('plant/x', 1);
    await exported('first');
    ahead = 50 * 365 * DAY;
    await publish('plant/x', 2);
    await exported('second');
    expect(new Carriers(a.log.registry).exports()).toHaveLength(2);
  });

  test('is neither written for nor confirmed by a box that is not paired any more', async () => {
    await publish('plant/x', 1);
    await exported();
    await imported();
    paired.delete(b.identity.fingerprint);
    await expect(exported('another')).rejects.toMatchObject({ code: 'forbidden' });
    await expect(a.outbox.confirm(file('out.confirmed'))).rejects.toMatchObject({ code: 'forbidden' });
    expect(await queued()).toBe(1);
  });

  test('is not written over a file, and not for whom nobody has allowed it', async () => {
    await publish('plant/x', 1);
    writeFileSync(file('out'), 'something');
    await expect(exported()).rejects.toMatchObject({ code: 'conflict' });
    expect(readFileSync(file('out'), 'utf8')).toBe('something');
    await expect(a.outbox.export(file('x'), 'f'.repeat(64))).rejects.toMatchObject({ code: 'not-found' });
  });
});

describe('what may wait only for so long', () => {
  const MINUTE = 60_000;
  const expiring = (to: number = port): Promise<unknown> => a.homes.add({ ...home.account, port: to, topics: [], up: [{ filter: 'plant/x', expire: MINUTE }, { filter: 'plant/y' }] });

  test('is not published by whoever carries it when that is over: its author gives it up himself', async () => {
    home.nodes.set('plant/y', new Map());
    await expiring();
    await publish('plant/x', 'old', 'as old');
    await publish('plant/y', 'keeps');
    passed = MINUTE / 2;
    await publish('plant/x', 'young');
    expect(await exported()).toMatchObject({ records: 4 });
    passed = MINUTE * 5 / 4;
    expect(await imported()).toMatchObject({ records: 4, published: 2, present: 0, refused: 0, expired: 2 });
    expect([home.nodes.get('plant/x')?.size, home.nodes.get('plant/y')?.size]).toEqual([1, 1]);
    expect([...home.nodes.get('plant/x')?.values() ?? []].map(String)).toEqual([expect.stringContaining('young')]);
    expect(await a.outbox.confirm(file('out.confirmed'))).toMatchObject({ records: 2 });
    await bell.until(async () => await queued() === 2);
    // Once more: it has the same to confirm.
    expect(await imported()).toMatchObject({ published: 0, present: 2, expired: 2 });
    expect(await a.outbox.confirm(file('out.confirmed'))).toMatchObject({ records: 2 });
    await b.homes.remove('other@home.test');
    const before = publishes().length;
    await expiring(home.account.port);
    await bell.until(async () => await queued() === 0);
    expect([publishes().length, home.nodes.get('plant/x')?.size]).toEqual([before, 1]);
  });

  test('is published when only a clock was set ahead, here or there', async () => {
    await expiring();
    await publish('plant/x', 1, 2);
    ahead = DAY / 2;
    expect(await exported()).toMatchObject({ records: 2 });
    ahead = DAY;
    expect(await imported()).toMatchObject({ published: 2, expired: 0 });
  });

  test('is not in the file when that is over before', async () => {
    await expiring();
    await publish('plant/x', 1, 2);
    passed = 2 * MINUTE;
    await expect(exported()).rejects.toMatchObject({ code: 'not-found' });
    await publish('plant/x', 3);
    expect(await exported()).toMatchObject({ records: 1 });
  });

  test('is told in so many runs and no more, whatever lies between', () => {
    const seqs = Array.from({ length: 2_000 }, (_, n) => n * 2 + (n >= 1_000 ? 5_000 : 0));
    const few = Runs.around(seqs, 10);
    expect(few.count).toBeLessThanOrEqual(10);
    expect(seqs.every((seq) => few.has(seq))).toBe(true);
    expect(few.has(4_000)).toBe(false);
    expect(Runs.around([7, 3, 4, 5], 10).flat).toEqual([3, 5, 7, 7]);
    expect(Runs.around([], 10).flat).toEqual([]);
  });
});

describe('the files that were written', () => {
  const one = (n: number, more: object = {}): Parameters<Carriers['keep']>[0] => ({ id: `f${n}`, fingerprint: 'x', jid: 'j', sha256: '', created: n, expires: 1_000 * DAY, runs: [n, n], ...more });

  test('are remembered until they are confirmed or expired, so many', async () => {
    const carriers = new Carriers(a.log.registry);
    for (let n = 0; n < 32; n++) {
      expect(await carriers.makeRoom(0)).toEqual([]);
      await carriers.keep(one(n));
    }
    await expect(carriers.makeRoom(0)).rejects.toMatchObject({ code: 'busy' });
    await carriers.keep(one(7, { confirmed: true }));
    await carriers.keep(one(9, { confirmed: true }));
    expect(await carriers.makeRoom(0)).toEqual(['f7']);
    await carriers.keep(one(3, { expires: 0 }));
    expect(await carriers.makeRoom(31 * DAY)).toEqual(['f3']);
    expect(carriers.exports()).toHaveLength(30);
  });
});

describe('a file', () => {
  const nothing = (): void => { expect(publishes()).toEqual([]); };
  beforeEach(async () => {
    await publish('plant/x', 1, 2, 3);
    await exported();
  });

  test('for another box is refused', async () => {
    await expect(a.outbox.import(file('out'), file('c'), signal)).rejects.toMatchObject({ code: 'forbidden' });
    nothing();
  });

  test('of a key that is not paired is refused', async () => {
    paired.delete(a.identity.fingerprint);
    await expect(imported()).rejects.toMatchObject({ code: 'forbidden' });
    nothing();
  });

  test.each([['cut off', (bytes: Buffer) => bytes.subarray(0, -100)], ['changed', (bytes: Buffer) => Buffer.from(bytes.map((byte, at) => (at === bytes.length - 80 ? byte ^ 1 : byte)))]])('that was %s is refused, and nothing of it published', async (_, harm) => {
    writeFileSync(file('out'), harm(readFileSync(file('out'))));
    await expect(imported()).rejects.toMatchObject({ code: 'corrupt' });
    nothing();
  });

  test('is good for as long as it says', async () => {
    ahead = 31 * DAY;
    await expect(imported()).rejects.toMatchObject({ code: 'expired' });
    nothing();
    ahead = 29 * DAY;
    expect(await imported()).toMatchObject({ published: 3 });
  });

  test('that is none, or is not there, is said so', async () => {
    writeFileSync(file('none'), 'nothing of the kind, but long enough to be looked at');
    await expect(imported('none')).rejects.toMatchObject({ code: 'invalid-value' });
    const missing = { code: 'not-found', message: `There is no file ${file('missing')}.` };
    await expect(imported('missing')).rejects.toMatchObject(missing);
    await expect(a.outbox.confirm(file('missing'))).rejects.toMatchObject(missing);
    // Nothing of it stays in the way.
    expect(await imported()).toMatchObject({ published: 3 });
  });

  test.each(['other@home.test', 'OTHER@home.test/x', 'anna@home.test', ''])('for the nodes of an account is refused, of whomever: %j', async (service) => {
    const account = toAccount({ ...home.account, topics: ['plant/#'] });
    await writeExport(file('own'), new Carriers(a.log.registry).of(b.identity.fingerprint)!, Date.now() + DAY, {
      log: a.log, account: { ...account, service }, identity: a.identity, sealer: new Sealer(a.identity), now: Date.now(), ages: { of: () => 0 }, cursors: {}, keep: async () => undefined,
    });
    await expect(imported('own')).rejects.toMatchObject({ code: 'forbidden' });
    nothing();
  });

  test('is not written for the nodes of another account', async () => {
    await a.homes.add({ ...home.account, port, topics: ['plant/#'], service: 'anna@home.test' });
    await expect(exported('own')).rejects.toMatchObject({ code: 'forbidden' });
    expect(existsSync(file('own'))).toBe(false);
  });

  test('for a node that is not there is not published: whoever makes it would own it', async () => {
    home.set.answer = (_iq, what, node) => (what === 'items' && node === 'plant/x' ? 'item-not-found' : undefined);
    await expect(imported()).rejects.toMatchObject({ code: 'not-found' });
    nothing();
  });

  test('that the home does not let be published is said so; once it does, it is', async () => {
    home.set.answer = (_iq, what) => (what === 'publish' ? 'forbidden' : undefined);
    await expect(imported()).rejects.toMatchObject({ code: 'forbidden', message: expect.stringContaining('outbox allow') });
    home.set.answer = () => undefined;
    expect(await imported()).toMatchObject({ published: 3 });
  });

  test('of which the home refuses a record says so, and that one goes on waiting', async () => {
    let n = 0;
    home.set.answer = (_iq, what) => (what === 'publish' && ++n === 2 ? 'not-acceptable' : undefined);
    expect(await imported()).toMatchObject({ records: 3, published: 2, refused: 1 });
    expect(await a.outbox.confirm(file('out.confirmed'))).toMatchObject({ records: 2 });
    await bell.until(async () => await queued() === 1);
  });

  test('that is on its way when the session breaks is looked through again, and nothing comes twice', async () => {
    let cut = false;
    home.set.resumable = false;
    home.set.before = (stanza) => {
      if (cut || !stanza.getChild('pubsub')?.getChild('publish')) return;
      cut = true;
      home.cut();
    };
    const { records, published, present } = await imported();
    expect([records, published + present]).toEqual([3, 3]);
    expect(home.nodes.get('plant/x')?.size).toBe(3);
  });
});

describe('a confirmation', () => {
  const said = (): Record<string, unknown> => JSON.parse(readFileSync(file('out.confirmed'), 'utf8')) as Record<string, unknown>;
  beforeEach(async () => {
    await publish('plant/x', 1, 2);
    await exported();
    await imported();
  });

  test.each<[string, () => Record<string, unknown>, string]>([
    ['that was changed', () => ({ ...said(), refused: [1] }), 'corrupt'],
    ['signed by whom the file was not for', () => ({ ...said(), ...new Sealer(a.identity).seal('lanpost carried 1', [String(said()['id']), String(said()['sha256']), a.identity.fingerprint, '']) }), 'forbidden'],
    ['of another file', () => ({ ...said(), sha256: '0'.repeat(64), ...new Sealer(b.identity).seal('lanpost carried 1', [String(said()['id']), '0'.repeat(64), a.identity.fingerprint, '']) }), 'conflict'],
    ['of a file that nobody wrote', () => ({ ...said(), id: 'x', ...new Sealer(b.identity).seal('lanpost carried 1', ['x', String(said()['sha256']), a.identity.fingerprint, '']) }), 'not-found'],
    ['for another box', () => ({ ...said(), author: b.identity.fingerprint, ...new Sealer(b.identity).seal('lanpost carried 1', [String(said()['id']), String(said()['sha256']), b.identity.fingerprint, '']) }), 'forbidden'],
    ['that is none', () => ({ hello: 'world' }), 'invalid-value'],
  ])('%s is refused', async (_, made, code) => {
    writeFileSync(file('made'), JSON.stringify(made()));
    await expect(a.outbox.confirm(file('made'))).rejects.toMatchObject({ code });
    expect(await queued()).toBe(2);
  });

  test('is of one service: when what goes up goes to another now it is refused, and all of it goes there', async () => {
    const other = { ...home.account, topics: ['plant/#'], service: 'other.home.test' };
    await a.homes.add({ ...other, port });
    await expect(a.outbox.confirm(file('out.confirmed'))).rejects.toMatchObject({ code: 'conflict' });
    expect(await queued()).toBe(2);
    home.nodes.set('plant/x', new Map());
    const before = home.stanzas.length;
    await a.homes.add(other);
    await bell.until(async () => await queued() === 0);
    expect(home.stanzas.slice(before).filter((stanza) => stanza.getChild('pubsub')?.getChild('publish')).map((stanza) => attr(stanza, 'to'))).toEqual(['other.home.test', 'other.home.test']);
    await a.homes.add({ ...home.account, port, topics: ['plant/#'] });
    expect(await a.outbox.confirm(file('out.confirmed'))).toMatchObject({ records: 2 });
  });

  /** More than is read ahead waits before what is confirmed, of many topics, so that the reader has not come to that yet. */
  const confirmedBehind = async (): Promise<void> => {
    await Promise.all(Array.from({ length: 1_200 }, (_, n) => a.log.append({ topic: `plant/own${n % 12}`, kind: 'publish', id: `i${n}`, payload: toPayload(n) })));
    await publish('plant/x', 3, 4, 5);
    await exported('more');
    await imported('more');
    expect(await a.outbox.confirm(file('more.confirmed'))).toMatchObject({ records: 5 });
    // The other service has nothing yet.
    home.nodes.set('plant/x', new Map());
  };
  const OTHER = 'other.home.test';
  const sentTo = (service: string): { readonly own: number; readonly confirmed: number } => {
    const nodes = home.stanzas.filter((stanza) => attr(stanza, 'to') === service).flatMap((stanza) => attr(stanza.getChild('pubsub')?.getChild('publish') ?? xml('x'), 'node') ?? []);
    return { own: nodes.filter((node) => node.startsWith('plant/own')).length, confirmed: nodes.filter((node) => node === 'plant/x').length };
  };

  test.each<[string, object, object, object[]]>([
    ['one in no group', {}, {}, []], ['one alone in a group', { group: 'plant' }, { group: 'plant' }, []], ['one that comes into a group', {}, { group: 'plant' }, []],
    ['one that leaves its group', { group: 'plant' }, {}, []], ['one of a group of which none is at the former', { group: 'plant' }, { group: 'plant' }, [{ service: 'third.home.test' }]],
  ])('says nothing of another service: where %s goes there, what the reader has not come to goes there, too', async (_how, before, after, others) => {
    const account = { ...home.account, topics: ['plant/#'] };
    await a.homes.add({ ...account, port, ...before });
    for (const other of others) await a.homes.add({ ...account, jid: 'third@home.test', port, rank: 1, ...before, ...other });
    await confirmedBehind();
    await a.homes.add({ ...account, ...after, service: OTHER });
    await bell.until(async () => (await a.homes.list()).every(({ queued: left }) => left === 0));
    expect(sentTo(OTHER)).toEqual({ own: 1_200, confirmed: 3 });
  });

  test('holds for a group of which another home stays at that service', async () => {
    const account = { ...home.account, topics: ['plant/#'], group: 'plant' };
    await a.homes.add({ ...account, port });
    await a.homes.add({ ...account, jid: 'third@home.test', port, rank: 1 });
    await confirmedBehind();
    await a.homes.add({ ...account, service: OTHER });
    await bell.until(async () => (await a.homes.list()).every(({ queued: left }) => left === 0));
    expect(sentTo(OTHER)).toEqual({ own: 1_200, confirmed: 0 });
  });

  test('of a home that is gone is refused: what comes back under its name is not passed for that', async () => {
    await a.homes.remove(home.account.jid);
    await expect(a.outbox.confirm(file('out.confirmed'))).rejects.toMatchObject({ code: 'not-found' });
    await a.homes.add({ ...home.account, port, topics: ['plant/#'], service: 'other.home.test' });
    expect(await queued()).toBe(2);
  });

  test('is remembered over a restart, and forgotten with the home', async () => {
    await a.outbox.confirm(file('out.confirmed'));
    await a.homes.close();
    const again = createHomes({ log: a.log, clock: bell.heard(createSystemClock()), trouble: bell.ring, boxId: a.identity.boxId, limits: { settle: 100 } });
    a = { ...a, homes: again };
    await again.start();
    await bell.until(async () => await queued() === 0);
    await a.homes.remove(home.account.jid);
    await a.homes.add({ ...home.account, port, topics: ['plant/#'] });
    expect(await queued()).toBe(2);
  });

  test('keeps what it confirms from being sent when the author is at home again', async () => {
    await a.outbox.confirm(file('out.confirmed'));
    await publish('plant/x', 3);
    await b.homes.remove('other@home.test');
    const before = publishes().length;
    await a.homes.add({ ...home.account, topics: ['plant/#'] });
    await bell.until(async () => await queued() === 0);
    expect(publishes().slice(before).map((one) => attr(one.getChild('item')!, 'id'))).toHaveLength(1);
  });
});
