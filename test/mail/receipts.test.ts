import { afterEach, beforeEach, expect, test } from 'vitest';
import { createTestClock, type TestClock } from '../../src/clock.ts';
import { LanpostError } from '../../src/errors.ts';
import { type Log, openLog } from '../../src/log/log.ts';
import { MemoryDatabase } from '../../src/log/memory-database.ts';
import { Mail } from '../../src/mail/mail.ts';
import { PlayedRoad } from '../support/played-road.ts';
import { quiet } from '../support/quiet.ts';

let log: Log;
let clock: TestClock;
let road: PlayedRoad;
let mail: Mail;
let kept: MemoryDatabase;

const open = async (): Promise<void> => {
  log = await openLog({ database: kept, clock, boxId: 'aaaaaaaaaaaaaaaa', trouble: () => undefined });
  mail = new Mail({ log, clock, roads: [road], isHomeDomain: () => false, trouble: () => undefined, limits: { stanzaBytes: 262_144 } });
  await mail.start();
};
const close = async (): Promise<void> => { await mail.close(); await log.close(); };
const reopen = async (): Promise<void> => { await close(); await open(); };

beforeEach(async () => {
  clock = createTestClock();
  road = new PlayedRoad();
  kept = new MemoryDatabase();
  await open();
});
afterEach(close);

/** How both promises of a receipt have settled by now. */
async function told(to: string, id: string, body = 'hello', expires?: number): Promise<string[]> {
  const receipt = await mail.send(to, body, { id, ...(expires === undefined ? {} : { expires }) });
  const said = ['open', 'open'];
  for (const [n, promise] of [receipt.handed, receipt.delivered].entries()) {
    void promise.then(() => 'done', (error: unknown) => (error instanceof LanpostError ? error.code : String(error))).then((how) => { said[n] = how; return how; });
  }
  await quiet();
  return said;
}

async function pass(ms: number): Promise<void> {
  for (let gone = 0; gone < ms; gone += 1000) {
    clock.advance(1000);
    await quiet();
  }
}

test.each(['before', 'after'])('a letter that expired is not said to be delivered when its id is sent again, %s a restart', async (when) => {
  road.open = false;
  await told('link:b', 'x', 'hello', 60_000);
  await pass(62_000);
  expect(await mail.state('x')).toBe('expired');
  if (when === 'after') await reopen();
  road.open = true;
  expect(await told('link:b', 'x')).toEqual(['expired', 'expired']);
  expect([await mail.state('x'), road.carried.length]).toEqual(['expired', 0]);
});

test.each(['before', 'after'])('nor one that was refused, %s a restart; under another id it goes', async (when) => {
  road.refuse = new LanpostError('forbidden');
  expect(await told('link:b', 'x')).toEqual(['forbidden', 'forbidden']);
  road.refuse = undefined;
  if (when === 'after') await reopen();
  expect(await told('link:b', 'x')).toEqual(['forbidden', 'forbidden']);
  expect([await mail.state('x'), road.carried.length]).toEqual(['refused', 0]);
  expect(await told('link:b', 'y')).toEqual(['done', 'open']);
});

test('nor one that a recipient was handed who confirms nothing; it does not go again', async () => {
  road.keyless = true;
  expect(await told('link:alice@h1', 'x')).toEqual(['done', 'unsupported']);
  expect(await told('link:alice@h1', 'x')).toEqual(['done', 'unsupported']);
  expect([await mail.state('x'), road.carried.length]).toEqual(['handed', 1]);
});

test('one that is confirmed while an older one is not is delivered to whoever sends it again', async () => {
  await told('link:b', 'a');
  await told('link:b', 'b');
  road.carried[1]?.confirm();
  await quiet();
  expect(await told('link:b', 'b')).toEqual(['done', 'done']);
  expect(await told('link:b', 'a')).toEqual(['done', 'open']);
  expect([await mail.state('a'), await mail.state('b')]).toEqual(['handed', 'delivered']);
  await reopen();
  expect(await told('link:b', 'b')).toEqual(['done', 'done']);
  expect([await mail.state('a'), await mail.state('b')]).toEqual(['handed', 'delivered']);
});

test('one id to two recipients is two letters, each with its own end', async () => {
  const first = await mail.send('link:a', 'hello', { id: 'x' });
  const second = await mail.send('link:b', 'hello', { id: 'x' });
  await road.carriedBy(2);
  road.carried[0]?.lose(new LanpostError('forbidden'));
  road.carried[1]?.confirm();
  expect(await Promise.allSettled([first.delivered, second.delivered])).toMatchObject([{ status: 'rejected', reason: { code: 'forbidden' } }, { status: 'fulfilled' }]);
  expect([await told('link:a', 'x'), await told('link:b', 'x')]).toEqual([['forbidden', 'forbidden'], ['done', 'done']]);
  expect(await mail.state('x')).toBe('delivered');
});

test('how a letter ended is known as long as the letter is, however many end elsewhere; then neither is', async () => {
  road.refuse = new LanpostError('too-large', 'no');
  await told('link:a', 'x');
  for (let n = 0; n < 1001; n += 1) {
    await mail.send('link:b', 'hello', { id: `y${n}` });
    if (n % 20 === 0) await quiet();
  }
  await quiet();
  for (let turn = 0; turn < 2; turn += 1) {
    expect(await Promise.all(['x', 'y0', 'y800', 'y801', 'y1000'].map((id) => mail.state(id)))).toEqual(['refused', undefined, undefined, 'refused', 'refused']);
    await reopen();
  }
  expect(await told('link:a', 'x')).toEqual(['forbidden', 'forbidden']);
  // What is not known any more is a letter as any other.
  road.refuse = undefined;
  expect(await told('link:b', 'y0')).toEqual(['done', 'open']);
  road.refuse = new LanpostError('too-large', 'no');
  await pass(2000);
  await told('link:b', 'z');
  const rows = log.registry.entries('mail:ends:').map(([, row]) => (row as { refused: number[] }).refused.length);
  expect(rows).toEqual([1, 200]);
});

test('ends of letters that newer ones with their ids replaced push out none of a letter that is in view', async () => {
  road.refuse = new LanpostError('too-large', 'no');
  await told('link:b', 'first');
  for (let n = 0; n < 900; n += 1) {
    await mail.send('link:b', String(n), { id: 'x' });
    if (n % 20 === 0) await quiet();
  }
  await quiet();
  expect([await mail.state('first'), await mail.state('x')]).toEqual(['refused', 'refused']);
  const [[, row] = []] = log.registry.entries('mail:ends:');
  expect((row as { refused: number[] }).refused.length).toBeLessThanOrEqual(400);
});

test('what an older store kept of each message by its id is taken over once', async () => {
  road.refuse = new LanpostError('forbidden');
  await told('link:b', 'x');
  road.refuse = undefined;
  await told('link:b', 'y');
  await mail.close();
  await log.registry.setAll([['mail:ends:$mail/link:b', undefined], ['mail:end:x', { end: 'refused', no: 1 }], ['mail:end:gone', { end: 'expired', no: 2 }]]);
  await log.close();
  await open();
  expect(await told('link:b', 'x')).toEqual(['forbidden', 'forbidden']);
  expect([await mail.state('x'), await mail.state('y'), await mail.state('gone')]).toEqual(['refused', 'handed', undefined]);
  expect(log.registry.entries('mail:end').map(([key]) => key)).toEqual(['mail:ends:$mail/link:b']);
});

test('a letter whose end was written does not go again when the box is killed before more is', async () => {
  road.keyless = true;
  await told('link:alice@h1', 'x');
  expect(road.carried).toHaveLength(1);
  kept = kept.fork();
  await open();
  await told('link:alice@h1', 'y', 'and on');
  expect(road.carried.map(({ letter }) => letter.id)).toEqual(['x', 'y']);
});
