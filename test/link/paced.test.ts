// Boxes that are not paired are read at a pace. What a box asked them for is no flood, and being slow costs nobody his stream.
import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createTestClock } from '../../src/clock.ts';
import { OWNER } from '../../src/pubsub/actor.ts';
import { toPayload } from '../../src/payload/payload.ts';
import { buildMessage } from '../../src/xmpp/stanza.ts';
import { quiet } from '../support/quiet.ts';
import { outcome } from './files/file-events.ts';
import { acquainted, SimulatedLan, type TestBox } from './fixtures.ts';
import { secureCaller } from './secure-caller.ts';
import { serviceBox } from './service-box.ts';

/** For the clock of who reads stands still: what is paced would never come. */
const BEYOND_A_BURST = 6 << 20;

let lan: SimulatedLan;
beforeEach(() => { lan = new SimulatedLan(); });
afterEach(() => lan.close());

test('items of a topic that is read at a peer come as fast as they can be taken', async () => {
  const a = await serviceBox(lan, 1, 'a');
  const b = await serviceBox(lan, 2, 'b', { clock: createTestClock() });
  await acquainted(a, b);
  await a.trust.allow('class:seen', 'read', 't');
  const subscription = b.service.subscribe(a.link.name, 't', { durable: 'r', from: 'start' });
  await subscription.ready;
  const value = 'x'.repeat(50_000);
  const count = BEYOND_A_BURST / value.length;
  const publishing = (async () => { for (let n = 0; n < count; n += 1) await a.broker.publish(OWNER, 't', toPayload(`${n} ${value}`)); })();
  let last: unknown;
  for (let n = 0; n < count; n += 1) last = (await subscription.next()).value;
  await publishing;
  expect(last).toMatchObject({ kind: 'item', value: `${Math.ceil(count) - 1} ${value}` });
  await subscription.close();
});

test('and so does a file that was accepted', async () => {
  const a = await serviceBox(lan, 1, 'a');
  const b = await serviceBox(lan, 2, 'b', { clock: createTestClock() });
  await acquainted(a, b);
  await b.trust.allow('class:seen', 'files');
  expect(await outcome(a.service.files.box.send('b@h2', { name: 'x', data: randomBytes(BEYOND_A_BURST) }))).toMatchObject({ type: 'done', sent: BEYOND_A_BURST });
});

test('a box at the address of those that send too much waits ten seconds at a time, no more, and keeps its stream', async () => {
  const clock = createTestClock();
  const a = await lan.box(1, 'a', { clock });
  const b = await lan.box(2, 'b', { clock });
  await acquainted(a, b);
  const say = async (from: TestBox, to: TestBox, body: string): Promise<unknown> => (await from.link.send(to.name, buildMessage({ to: to.name, type: 'chat', body }))).delivered;
  await say(b, a, 'before');
  const callers = await Promise.all(Array.from({ length: 18 }, (_, n) => secureCaller(lan, a, { host: 2, name: `mallory-${n}@h2` })));
  const flood = `<message type='chat'><body>${'x'.repeat(250_000)}</body></message>`.repeat(20);
  for (const caller of callers) caller.write(flood);
  let taken = -1;
  while (a.messages.length > taken) {
    taken = a.messages.length;
    await quiet();
  }
  expect(taken).toBeLessThan(18 * 10);
  // The first is read, and more when that has been paid for; what they say is confirmed is behind all of it.
  const said = say(b, a, 'first');
  await quiet();
  const all = Promise.all([said, ...Array.from({ length: 4 }, (_, n) => say(b, a, `${n}${'y'.repeat(4_000)}`)), say(a, b, 'and back')]);
  const begin = clock.mono();
  const delivered = all.then(() => clock.mono() - begin);
  delivered.catch(() => undefined); // awaited below
  for (let seconds = 0; seconds < 70; seconds += 1) {
    await quiet();
    clock.advance(1_000);
  }
  expect(await delivered).toBeGreaterThan(25_000);
  expect(await delivered).toBeLessThanOrEqual(61_000);
  expect(b.closed).toEqual([]);
});
