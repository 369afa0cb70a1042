import { afterEach, beforeEach, expect, test } from 'vitest';
import { createTestClock, type TestClock } from '../../src/clock.ts';
import { LanpostError } from '../../src/errors.ts';
import { type Log, openLog } from '../../src/log/log.ts';
import { MemoryDatabase } from '../../src/log/memory-database.ts';
import { Mail } from '../../src/mail/mail.ts';
import type { Handed, Road } from '../../src/mail/road.ts';
import { PlayedRoad } from '../support/played-road.ts';
import { quiet } from '../support/quiet.ts';

/** To a recipient who confirms nothing: its server says that it has taken a letter when the test says so. */
class ServerRoad extends PlayedRoad {
  alone: boolean = true;
  override async deliver(address: unknown, letter: Parameters<Road['deliver']>[1]): Promise<Handed> {
    const { delivered } = await super.deliver(address, letter);
    return { handed: delivered!, taken: delivered!, ...(this.alone ? { alone: true as const } : {}) };
  }
  /** Each at once, for that long. */
  async takesAll(ms: number): Promise<void> {
    for (let gone = 0; gone <= ms; gone += 1000) {
      await quiet();
      for (const { confirm } of this.carried) confirm();
      await quiet();
      clock.advance(1000);
    }
  }
}

let log: Log;
let clock: TestClock;
let roads: Road[];
let mail: Mail;
let kept: MemoryDatabase;

const open = async (...by: Road[]): Promise<void> => {
  roads = by;
  log = await openLog({ database: kept, clock, boxId: 'aaaaaaaaaaaaaaaa', trouble: () => undefined });
  mail = new Mail({ log, clock, roads, isHomeDomain: () => false, trouble: () => undefined, limits: { stanzaBytes: 262_144 } });
  await mail.start();
};
const close = async (): Promise<void> => { await mail.close(); await log.close(); };
const bodies = (road: PlayedRoad): string[] => road.carried.map(({ letter }) => letter.body);

beforeEach(() => {
  clock = createTestClock();
  kept = new MemoryDatabase();
});
afterEach(close);

/** The disk takes nothing, and the log knows it. */
async function full(): Promise<void> {
  kept.failure = Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' });
  await expect(log.append({ topic: 'x', kind: 'publish' })).rejects.toMatchObject({ code: 'disk-full' });
}

async function pass(ms: number): Promise<void> {
  for (let gone = 0; gone < ms; gone += 1000) {
    clock.advance(1000);
    await quiet();
  }
}

test('what its server took while the disk was full does not go again, and the others wait until that is noted', async () => {
  const [near, far] = [new ServerRoad(), new ServerRoad()];
  near.open = far.open = false;
  await open(near, far);
  for (const body of ['1', '2', '3', '4', '5']) await mail.send('xmpp:c@home.test', body);
  await full();
  near.open = true;
  mail.roadsChanged();
  await near.takesAll(30_000);
  // One may be under way by the time it is known that nothing can be noted.
  const taken = bodies(near);
  expect(taken.length).toBeLessThanOrEqual(2);
  // Another road changes nothing of that.
  [near.open, far.open] = [false, true];
  mail.roadsChanged();
  await far.takesAll(5000);
  expect([bodies(near), bodies(far)]).toEqual([taken, []]);
  kept.failure = undefined;
  await far.takesAll(60_000);
  expect([...taken, ...bodies(far)]).toEqual(['1', '2', '3', '4', '5']);
  await close();
  await open(near, far);
  await far.takesAll(2000);
  expect([...bodies(near), ...bodies(far)]).toEqual(['1', '2', '3', '4', '5']);
});

test('a refusal that comes while the disk is full, of an address that is tried with one letter, lets the next go afterwards', async () => {
  const road = new PlayedRoad();
  await open(road);
  const { delivered } = await mail.send('link:b', 'one');
  await road.carriedBy(1);
  road.carried[0]?.lose(new LanpostError('timeout'));
  await road.carriedBy(2);
  await full();
  road.carried[1]?.lose(new LanpostError('forbidden'));
  await pass(10_000);
  kept.failure = undefined;
  await pass(60_000);
  await expect(delivered).rejects.toMatchObject({ code: 'forbidden' });
  await mail.send('link:b', 'two');
  await pass(1000);
  expect(bodies(road)).toEqual(['one', 'one', 'two']);
});

test('a letter whose end is being written does not go again with one that is lost meanwhile', async () => {
  const road = new ServerRoad();
  road.alone = false;
  await open(road);
  await mail.send('xmpp:c@home.test', 'taken');
  await mail.send('xmpp:c@home.test', 'lost');
  await road.carriedBy(2);
  const topic = '$mail/xmpp:c@home.test';
  const [first] = await log.items(topic);
  let write: (() => void) | undefined;
  const batch = kept.batch.bind(kept);
  kept.batch = () => {
    const one = batch();
    return { ...one, write: async (how) => { await new Promise<void>((resolve) => { write = resolve; }); await one.write(how); } };
  };
  road.carried[0]?.confirm();
  await quiet();
  expect(write).toBeDefined();
  road.carried[1]?.lose();
  await quiet();
  // Nor is it past before that is on disk: a power cut would have it delivered.
  expect(log.standing('mail:xmpp:c@home.test', topic, first?.seq ?? 0)).not.toBe('past');
  kept.batch = batch;
  write?.();
  await quiet();
  expect(bodies(road)).toEqual(['taken', 'lost', 'lost']);
});

test('what could not be noted of a letter is, at the latest, when the box stops', async () => {
  const road = new ServerRoad();
  await open(road);
  const { id } = await mail.send('xmpp:c@home.test', 'hello');
  await road.carriedBy(1);
  kept.failure = new Error('ENOSPC');
  road.carried[0]?.confirm();
  await quiet();
  kept.failure = undefined;
  // The log looks once a second whether it can go on; the outbox has just found that it could not.
  for (let half = 0; half < 2; half += 1) {
    clock.advance(500);
    await quiet();
  }
  expect(log.state).toBe('open');
  await close();
  await open(road);
  await quiet();
  expect([await mail.state(id), bodies(road)]).toEqual(['handed', ['hello']]);
});

test('a letter that comes back while the disk is full goes again all the same', async () => {
  const road = new ServerRoad();
  let back: ((error: LanpostError) => void) | undefined;
  const deliver = road.deliver.bind(road);
  road.deliver = async (address, letter) => ({ ...await deliver(address, letter), stays: new Promise<void>((_resolve, gone) => { back = gone; }) });
  await open(road);
  const { id } = await mail.send('xmpp:c@home.test', 'hello');
  await road.carriedBy(1);
  road.carried[0]?.confirm();
  await quiet();
  await full();
  back?.(new LanpostError('unreachable', 'its store is full'));
  await pass(10_000);
  kept.failure = undefined;
  await pass(60_000);
  road.carried[1]?.confirm();
  await pass(2000);
  expect([await mail.state(id), bodies(road)]).toEqual(['handed', ['hello', 'hello']]);
});
