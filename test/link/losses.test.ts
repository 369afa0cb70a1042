import { afterEach, beforeEach, expect, test } from 'vitest';
import { createTestClock, type TestClock } from '../../src/clock.ts';
import { Losses } from '../../src/link/losses.ts';
import type { Log } from '../../src/log/log.ts';
import { DEFAULT_LIMITS } from '../../src/options.ts';
import { OWNER } from '../../src/pubsub/actor.ts';
import { Broker } from '../../src/pubsub/broker.ts';
import type { Notice } from '../../src/pubsub/notice.ts';
import { closeAll, item, openMemory } from '../log/log-fixture.ts';

const MIRROR = '$at/aaaaaaaaaaaaaaaa/';
const wanted = { filter: '#' };
const gap: Notice = { kind: 'gap', recordId: 'aaaaaaaaaaaaaaaa-1.00000000-1', time: 1, gap: { from: 1, to: 1, reason: 'corrupt' } };

let log: Log;
let broker: Broker;
let clock: TestClock;
let losses: Losses;
/** Where gaps were told; `-` to the owner only. */
let told: string[];
let looks: number;

beforeEach(async () => {
  ({ log } = await openMemory());
  broker = new Broker({ log, clock, trouble: () => undefined, limits: DEFAULT_LIMITS, may: () => false });
  clock = createTestClock();
  told = [];
  looks = 0;
  losses = new Losses({
    broker: {
      find: { any: (filter) => { looks += 1; return broker.find.any(filter); } },
      hasRoomFor: (topic) => broker.hasRoomFor(topic),
      topic: (name) => broker.topic(name),
    },
    clock,
    trouble: () => void told.push('-'),
    keep: async (topic) => void told.push(topic.slice(MIRROR.length)),
  });
});
afterEach(closeAll);

const lost = (): Promise<void> => losses.everywhere(wanted, `${MIRROR}#`, [gap, gap]);

test('all topics are looked through once for any number of gaps', async () => {
  await log.append(item(`${MIRROR}t`, 'x'));
  for (let i = 0; i < 50; i++) await lost();
  expect(told).toEqual(Array.from({ length: 100 }, () => 't'));
  expect(looks).toBe(1);
});

test('and in vain once a second', async () => {
  for (let i = 0; i < 50; i++) await lost();
  expect(looks).toBe(1);
  clock.advance(1000);
  await lost();
  expect(looks).toBe(2);
  expect(new Set(told)).toEqual(new Set(['-']));
});

test('what has come meanwhile is the place of the next one', async () => {
  await lost();
  losses.arrived(wanted, `${MIRROR}t`);
  await log.append(item(`${MIRROR}t`, 'x'));
  await lost();
  expect(told).toEqual(['-', '-', 't', 't']);
});

test('a place that was deleted is none', async () => {
  await log.append(item(`${MIRROR}t`, 'x'));
  await lost();
  await broker.delete(OWNER, `${MIRROR}t`);
  await lost();
  losses.arrived(wanted, `${MIRROR}u`);
  await log.append(item(`${MIRROR}u`, 'x'));
  await lost();
  expect(told).toEqual(['t', 't', '-', '-', 'u', 'u']);
});
