import { afterEach, beforeEach, expect, test } from 'vitest';
import type { MessageStream, Trouble } from '../../src/api.ts';
import { createTestClock } from '../../src/clock.ts';
import { type Log, openLog } from '../../src/log/log.ts';
import { formatRecordId } from '../../src/log/record-id.ts';
import { MemoryDatabase } from '../../src/log/memory-database.ts';
import type { Incoming } from '../../src/mail/inbox.ts';
import { Mail } from '../../src/mail/mail.ts';

const SHARE = 4 << 20;
const LARGE = 100_000;

let log: Log;
let mail: Mail;
let database: MemoryDatabase;
let troubles: Trouble[];

const open = async (): Promise<void> => {
  const clock = createTestClock();
  log = await openLog({ database, clock, boxId: 'aaaaaaaaaaaaaaaa', trouble: () => undefined });
  mail = new Mail({ log, clock, roads: [], isHomeDomain: () => false, trouble: (found) => troubles.push(found), limits: { stanzaBytes: 262_144 } });
  await mail.start();
};
const close = async (): Promise<void> => { await mail.close(); await log.close(); };

beforeEach(async () => {
  database = new MemoryDatabase();
  troubles = [];
  await open();
});
afterEach(close);

const receive = (key: string, bytes = LARGE, more: Partial<Incoming> = {}): Promise<void> =>
  mail.receive({ from: `link:${key}`, to: 'link:a', trust: 'seen', key, body: 'x'.repeat(bytes), ...more });
/** How many are kept until there is no room for more. */
const fill = async (key: string, bytes = LARGE): Promise<number> => {
  for (let count = 0; ; count += 1) {
    const full = await receive(key, bytes).then(() => false, (error: unknown) => error);
    if (full === false) continue;
    expect(full).toMatchObject({ code: 'topic-full' });
    return count;
  }
};
/** As a flow that is stopped leaves it. */
const leave = async (name: string): Promise<void> => {
  const reader = mail.messages({ name });
  await reader.ready;
  await reader.close();
};
const read = async (reader: MessageStream, count: number): Promise<void> => {
  for (let n = 0; n < count; n += 1) (await reader.next()).value?.ack();
};

test('a key that is seen may have its share of what waits to be read, and leaves the others theirs', async () => {
  await leave('flow');
  const count = await fill('mallory');
  expect(count).toBe(Math.floor(SHARE / (LARGE + 512)));
  expect(troubles).toMatchObject([{ kind: 'mail.inbox-full', code: 'topic-full', message: expect.stringMatching(/link:mallory.*flow.*inbox:flow/) }]);
  await receive('b');
  await expect(receive('mallory')).rejects.toMatchObject({ code: 'topic-full' });
  // A smaller one may yet fit.
  await receive('mallory', 100);
});

test('keys are free: all together have no more than the inbox has', async () => {
  await leave('flow');
  const counts: number[] = [];
  for (let n = 0; n < 10; n += 1) counts.push(await fill(`mallory-${n}`));
  expect(counts[0]).toBeGreaterThan(40);
  expect(counts.at(-1)).toBe(0);
  expect(log.topic('$inbox/seen')?.bytes).toBeLessThan(33 << 20);
});

test('nobody is turned away while there is no named reader, or all is read', async () => {
  for (let n = 0; n < 60; n += 1) await receive('b');
  await leave('flow');
  const reader = mail.messages({ name: 'flow' });
  for (let n = 0; n < 60; n += 1) await read(reader, 1);
  for (let n = 0; n < 60; n += 1) {
    await receive('b');
    await read(reader, 1);
  }
  await reader.close();
  expect(troubles).toEqual([]);
});

test('what a key has there is known after a restart, and is less by what has been read', async () => {
  await leave('flow');
  const count = await fill('mallory');
  await receive('b');
  await close();
  await open();
  await expect(receive('mallory')).rejects.toMatchObject({ code: 'topic-full' });
  expect(await fill('b')).toBe(count - 1);
  const reader = mail.messages({ name: 'flow' });
  await read(reader, 10);
  await reader.close();
  // What lies together is counted together.
  expect(await fill('mallory')).toBeGreaterThanOrEqual(9);
  await expect(receive('b')).rejects.toMatchObject({ code: 'topic-full' });
});

test('a reader that begins at the start counts what others had read already', async () => {
  await leave('one');
  const reader = mail.messages({ name: 'one' });
  const count = await fill('mallory');
  await read(reader, count);
  await receive('mallory');
  await leave('another');
  await expect(receive('mallory')).rejects.toMatchObject({ code: 'topic-full' });
  await reader.close();
  await log.dropCursor('inbox:another');
  await receive('mallory');
});

test.each([0, 1, 45])('letters that come all at once are counted one after the other, with %i of another there', async (others) => {
  await leave('flow');
  for (let n = 0; n < others; n += 1) await receive(`other-${n % 2}`);
  const all = await Promise.allSettled(Array.from({ length: 60 }, () => receive('mallory')));
  expect(all.filter(({ status }) => status === 'fulfilled')).toHaveLength(Math.floor(SHARE / (LARGE + 512)));
});

test('what its box had sent behind one that was turned away is turned away, too, until that has come again; a repeat is not', async () => {
  const numbered = (seq: number, bytes: number, behind?: number): Promise<void> => {
    const origin = { box: 'bbbbbbbbbbbbbbbb', epoch: '00000001', seq, chain: 'link:a' };
    return receive('b', bytes, { origin, ...(behind === undefined ? {} : { behind: formatRecordId({ ...origin, seq: behind }) }) });
  };
  await leave('flow');
  await numbered(1, LARGE);
  await fill('b');
  await expect(numbered(2, LARGE, 1)).rejects.toMatchObject({ code: 'topic-full' });
  await expect(numbered(3, 10, 2)).rejects.toMatchObject({ code: 'topic-full' });
  await expect(numbered(4, 10, 3)).rejects.toMatchObject({ code: 'topic-full' });
  const { head } = log;
  await numbered(1, LARGE);
  expect(log.head).toBe(head);
  const reader = mail.messages({ name: 'flow' });
  await read(reader, 30);
  await reader.close();
  await numbered(2, LARGE);
  await numbered(3, 10, 2);
  // Its box gave number 4 up: what follows is behind nothing.
  await numbered(5, 10);
  const kept = (await log.items('$inbox/seen', { last: 3 })).map(({ id }) => id?.split('-').at(-1));
  expect(kept).toEqual(['2', '3', '5']);
});

test('that holds also when the key has been paired meanwhile: what was turned away would count as a repeat', async () => {
  const origin = { box: 'bbbbbbbbbbbbbbbb', epoch: '00000001', chain: 'link:a' };
  await leave('flow');
  await fill('b');
  await expect(receive('b', LARGE, { origin: { ...origin, seq: 7 } })).rejects.toMatchObject({ code: 'topic-full' });
  const next: Partial<Incoming> = { trust: 'paired', origin: { ...origin, seq: 8 }, behind: formatRecordId({ ...origin, seq: 7 }) };
  await expect(receive('b', 1, next)).rejects.toMatchObject({ code: 'topic-full' });
  await receive('b', 2, { trust: 'paired', origin: { ...origin, seq: 7 } });
  await receive('b', 1, next);
  expect((await log.items('$inbox/paired')).map(({ payload }) => payload?.bytes.length)).toEqual([2, 1]);
});

test('of a message as it is read nothing says by which key it was counted', async () => {
  await receive('b', 3);
  const { value } = await mail.messages({ last: 1 }).next();
  expect(value).toMatchObject({ from: 'link:b', body: 'xxx' });
  expect(value).not.toHaveProperty('key');
});
