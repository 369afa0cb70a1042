import { afterEach, describe, expect, it } from 'vitest';
import { decodeRow, encodeRow } from '../../src/log/cbor.ts';
import { writeSynced } from '../../src/log/database.ts';
import { META_KEY, PREFIX, cursorKey, keyText, prefixRange, registryKey, subscriptionKey } from '../../src/log/keys.ts';
import { MemoryDatabase } from '../../src/log/memory-database.ts';
import { encodeProgress } from '../../src/log/progress-row.ts';
import { audit } from '../support/log-audit.ts';
import { toFormatThree } from './format-three.ts';
import { closeAll, item, openMemory, texts } from './log-fixture.ts';

afterEach(closeAll);

const HOME = 'home:box@home.test #';

/** A store as format 1 had it: a topic held back by a subscription of its own, and poison in the registry. */
async function formatOne(): Promise<MemoryDatabase> {
  const { log, database } = await openMemory();
  const main = await log.cursor({ name: HOME, filter: '#', from: 'start', durable: true });
  await (await log.cursor({ name: 'local:reader', filter: 'bad', from: 'start', durable: true })).close();
  for (let n = 1; n <= 4; n++) {
    await log.append(item('bad', `b${n}`));
    await log.append(item('good', `g${n}`));
  }
  // All but g4 is done; what is left of `bad` was the other one's.
  for (const { record } of await main.next(8)) if (record.seq < 8) main.done(record.seq);
  await log.close();
  await database.open();
  const meta = decodeRow<object>(await database.get(META_KEY) ?? new Uint8Array());
  await writeSynced(database, [
    { key: META_KEY, value: encodeRow({ ...meta, format: 1, nextTopic: undefined }) },
    { key: subscriptionKey('home-held:box@home.test bad'), value: encodeRow(['bad', undefined]) },
    { key: cursorKey('home-held:box@home.test bad'), value: encodeProgress({ position: 2, handed: 5, done: [[5, 5]], above: 1 }) },
    { key: subscriptionKey('home-held:gone@home.test bad'), value: encodeRow(['bad', undefined]) },
    { key: cursorKey('home-held:gone@home.test bad'), value: encodeProgress({ position: 0, handed: 0, done: [] }) },
    { key: registryKey('poison:box@home.test:2'), value: encodeRow({ jid: 'box@home.test', topic: 'good', recordId: 'r', itemId: 'i', kind: 'publish', reason: 'odd', at: 7, bytes: new Uint8Array(9) }) },
    { key: registryKey('poison:box@home.test:99'), value: encodeRow({ jid: 'box@home.test', topic: 'good', recordId: 'q', itemId: 'j', kind: 'publish', reason: 'odd', at: 7, bytes: new Uint8Array(9) }) },
    { key: registryKey('other'), value: encodeRow(1) },
  ]);
  await database.close();
  return database;
}

async function check(database: MemoryDatabase): Promise<void> {
  const { log } = await openMemory({ database });
  expect([...log.cursors()].map(({ name, held }) => [name, held])).toEqual([[HOME, ['bad']], ['local:reader', []]]);
  const main = await log.cursor({ name: HOME, filter: '#', from: 'start', durable: true });
  expect(await texts(main, 1)).toEqual(['g4*']);
  expect(await texts(main.held.get('bad') ?? main, 2)).toEqual(['b2*', 'b4']);
  expect(await log.asides(HOME)).toMatchObject([{ record: { seq: 2 }, note: { recordId: 'r', itemId: 'i', reason: 'odd', at: 7 } }]);
  // One whose record has gone: the registry has the only copy.
  expect(log.registry.entries('').map(([key]) => key)).toEqual(['other', 'poison:box@home.test:99']);
  await log.close();
}

describe('a store of format 1', () => {
  it('becomes one of today', async () => {
    const database = await formatOne();
    await check(database);
    await database.open();
    expect(decodeRow(await database.get(META_KEY) ?? new Uint8Array())).toMatchObject({ format: 5 });
    const names = (await database.range({ ...prefixRange(PREFIX.cursor), limit: 9 })).map(([key]) => keyText(key));
    expect(names).toEqual([HOME, `${HOME}\0bad`, 'local:reader']);
    await database.close();
  });

  it('may be cut off at any write, and goes on', async () => {
    let cuts = 0;
    for (;; cuts++) {
      const database = await formatOne();
      const batch = database.batch.bind(database);
      let left = cuts;
      database.batch = () => {
        const inner = batch();
        return { ...inner, write: async (options) => { if (left-- === 0) throw new Error('power cut'); await inner.write(options); } };
      };
      const cut = await openMemory({ database }).then(({ log }) => log.close().then(() => false), () => true);
      database.batch = batch;
      await check(database.fork());
      if (!cut) break;
    }
    expect(cuts).toBeGreaterThan(4);
  });
});

it('no number of a topic is used twice, also when the highest has gone', async () => {
  const { log, database } = await openMemory({ limits: { windowBytes: 0 } });
  await log.append(item('a', '1'));
  await log.append(item('b', '1'));
  const { no } = log.topic('b') ?? { no: 0 };
  await log.append({ topic: 'b', kind: 'delete' });
  await log.append(item('a', '2'));
  await log.trim();
  await log.trim();
  expect(log.topic('b')).toBeUndefined();
  const after = await openMemory({ database: database.fork() });
  await after.log.append(item('c', '1'));
  expect(after.log.topic('c')?.no).toBeGreaterThan(no);
});

/** A store as format 2 had it: topics do not say how many bytes their views have. */
async function formatTwo(): Promise<{ database: MemoryDatabase; views: Map<string, number> }> {
  const { log, database } = await openMemory({ limits: { maxItems: 2 } });
  for (let n = 0; n < 600; n++) await log.append(item('t', `${n}`, { id: `${n % 400}` }));
  await log.append({ topic: 'u', kind: 'purge' });
  for (const topic of ['v', 'w']) await log.append(item(topic, topic));
  await log.trim();
  const views = new Map([...log.topics()].map(({ name, viewBytes }) => [name, viewBytes]));
  await log.close();
  await database.open();
  const topics = await database.range({ ...prefixRange(PREFIX.topic), limit: 9 });
  const meta = decodeRow<object>(await database.get(META_KEY) ?? new Uint8Array());
  await writeSynced(database, [
    { key: META_KEY, value: encodeRow({ ...meta, format: 2 }) },
    ...topics.map(([key, value]) => ({ key, value: encodeRow(decodeRow<unknown[]>(value).slice(0, 10)) })),
  ]);
  await database.close();
  return { database, views };
}

async function viewsOf(database: MemoryDatabase): Promise<Map<string, number>> {
  const { log } = await openMemory({ database });
  const views = new Map([...log.topics()].map(({ name, viewBytes }) => [name, viewBytes]));
  await log.close();
  return views;
}

describe('a store of format 2', () => {
  it('learns how many bytes the views of its topics have', async () => {
    const { database, views } = await formatTwo();
    expect(await viewsOf(database)).toEqual(views);
    expect([views.get('u'), views.size]).toEqual([0, 4]);
    expect(views.get('t')).toBeGreaterThan(70);
  });

  it('may be cut off at any write, and goes on', async () => {
    let cuts = 0;
    for (let cut = true; cut; cuts++) {
      const { database, views } = await formatTwo();
      const batch = database.batch.bind(database);
      let left = cuts;
      database.batch = () => {
        const inner = batch();
        return { ...inner, write: async (options) => { if (left-- === 0) throw new Error('power cut'); await inner.write(options); } };
      };
      cut = await openMemory({ database }).then(({ log }) => log.close().then(() => false), () => true);
      database.batch = batch;
      expect(await viewsOf(database.fork())).toEqual(views);
    }
    // One for each topic, and one for the format.
    expect(cuts).toBeGreaterThan(5);
  });
});

/** A store as format 3 had it, with items of all kinds and a reader in the middle of them. */
async function formatThree(): Promise<MemoryDatabase> {
  const { log, database } = await openMemory({ limits: { maxItems: 5, windowBytes: 0 } });
  await log.append({ topic: 'l', kind: 'configure', config: { lane: 'latest' } });
  const reader = await log.cursor({ name: 'reader', filter: '#', from: 'start', durable: true });
  for (let n = 0; n < 9; n++) await Promise.all([log.append(item('t', `t${n}`, { id: `${n % 4}` })), log.append(item('l', `l${n}`, { key: `k${n % 3}` })), log.append(item('u', `u${n}`))]);
  await log.append({ topic: 't', kind: 'retract', id: '2' });
  for (const { record } of await reader.next(10)) reader.done(record.seq);
  await log.trim();
  await log.close();
  await toFormatThree(database);
  return database;
}

async function shown(database: MemoryDatabase): Promise<readonly string[]> {
  const { log, troubles } = await openMemory({ database, limits: { maxItems: 5, windowBytes: 0 } });
  const items = await Promise.all(['t', 'l', 'u'].map((topic) => log.items(topic, {})));
  const reader = await log.cursor({ name: 'reader', filter: '#', from: 'start', durable: true });
  const waiting = (await reader.next(99)).map(({ record }) => record);
  await log.close();
  expect(troubles).toEqual([]);
  return [...items.flat(), ...waiting].map(({ seq, topic, payload, previous, stamp }) => `${seq} ${topic} ${previous} ${Buffer.from(payload?.bytes ?? []).toString()} ${stamp.wall}`);
}

describe('a store of format 3', () => {
  it('is read as it is, and what comes is shorter', async () => {
    const database = await formatThree();
    expect(await audit(database)).toEqual([]);
    const before = await shown(database.fork());
    expect(before.length).toBeGreaterThan(20);
    const { log, troubles } = await openMemory({ database, limits: { maxItems: 5, windowBytes: 0 } });
    // Old ones are replaced, leave the view, and go.
    for (let n = 0; n < 9; n++) await Promise.all([log.append(item('t', `new${n}`, { id: `${n % 4}` })), log.append(item('l', `new${n}`, { key: `k${n % 2}` })), log.append(item('u', `new${n}`))]);
    expect((await log.items('t', {})).map(({ payload }) => Buffer.from(payload?.bytes ?? []).toString())).toEqual(['new5', 'new6', 'new7', 'new8']);
    await log.dropCursor('reader');
    await log.trim();
    await log.close();
    expect(troubles).toEqual([]);
    expect(await audit(database)).toEqual([]);
    await database.open();
    expect(decodeRow(await database.get(META_KEY) ?? new Uint8Array())).toMatchObject({ format: 5 });
    await database.close();
  });

  it('may be cut off at any write, and goes on', async () => {
    const before = await shown(await formatThree());
    let cuts = 0;
    for (let cut = true; cut; cuts++) {
      const database = await formatThree();
      const batch = database.batch.bind(database);
      let left = cuts;
      database.batch = () => {
        const inner = batch();
        return { ...inner, write: async (options) => { if (left-- === 0) throw new Error('power cut'); await inner.write(options); } };
      };
      cut = await openMemory({ database }).then(({ log }) => log.close().then(() => false), () => true);
      database.batch = batch;
      expect(await shown(database.fork())).toEqual(before);
    }
    expect(cuts).toBeGreaterThan(1);
  });
});
