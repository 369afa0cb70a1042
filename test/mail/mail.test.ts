import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Message, MessagesOptions, Receipt } from '../../src/api.ts';
import { createTestClock, type TestClock } from '../../src/clock.ts';
import { LanpostError } from '../../src/errors.ts';
import { MemoryDatabase } from '../../src/log/memory-database.ts';
import { type Log, openLog } from '../../src/log/log.ts';
import { Mail } from '../../src/mail/mail.ts';
import { PlayedRoad } from '../support/played-road.ts';
import { quiet } from '../support/quiet.ts';

let log: Log;
let clock: TestClock;
let road: PlayedRoad;
let mail: Mail;
const database = () => new MemoryDatabase();
let kept: ReturnType<typeof database>;

const open = async (): Promise<void> => {
  log = await openLog({ database: kept, clock, boxId: 'aaaaaaaaaaaaaaaa', trouble: () => undefined });
  mail = new Mail({ log, clock, roads: [road], isHomeDomain: () => false, trouble: () => undefined, limits: { stanzaBytes: 262_144 } });
  await mail.start();
};
const close = async (): Promise<void> => { await mail.close(); await log.close(); };

beforeEach(async () => {
  clock = createTestClock();
  road = new PlayedRoad();
  kept = database();
  await open();
});
afterEach(close);

test('a letter goes by the road that is open; the receipt follows it', async () => {
  const receipt = await mail.send('link:b', 'hello');
  await receipt.accepted;
  await receipt.handed;
  expect(await mail.state(receipt.id)).toBe('handed');
  road.carried[0]?.confirm();
  await receipt.delivered;
  expect(await mail.state(receipt.id)).toBe('delivered');
});

test('a letter does not overtake one that was lost while it was read from disk', async () => {
  road.open = false;
  for (let i = 0; i < 3; i++) await mail.send('link:b', String(i));
  await close();
  const range = kept.range.bind(kept);
  let lost = false;
  kept.range = async (options) => {
    if (road.carried.length === 1 && !lost) {
      lost = true;
      road.carried[0]?.lose();
      await quiet();
    }
    return range(options);
  };
  road.open = true;
  await open();
  await road.carriedBy(4);
  expect([lost, road.carried.map(({ letter }) => letter.body)]).toEqual([true, ['0', '0', '1', '2']]);
});

test('letters wait while no road is open, and go in order when one opens', async () => {
  road.open = false;
  for (let i = 0; i < 5; i++) await mail.send('link:b', String(i));
  expect(road.carried).toEqual([]);
  road.open = true;
  mail.roadsChanged();
  await road.carriedBy(5);
  expect(road.carried.map(({ letter }) => letter.body)).toEqual(['0', '1', '2', '3', '4']);
});

test('what was not confirmed when the road broke goes again with the same record id', async () => {
  const receipt = await mail.send('link:b', 'hello');
  await road.carriedBy(1);
  road.carried[0]?.lose();
  await road.carriedBy(2);
  expect(road.carried[1]?.letter.recordId).toBe(road.carried[0]?.letter.recordId);
  road.carried[1]?.confirm();
  await receipt.delivered;
});

// The recipient takes what is above the highest number it has of a chain: so numbers must never come to it out of order.
test('of several on their way that are lost, each goes again before any later one, in the order of their numbers', async () => {
  for (let i = 0; i < 3; i++) await mail.send('link:b', String(i));
  await road.carriedBy(3);
  for (const { lose } of road.carried.slice(0, 3).toReversed()) lose();
  await mail.send('link:b', '3');
  await road.carriedBy(7);
  expect(road.carried.map(({ letter }) => letter.body)).toEqual(['0', '1', '2', '0', '1', '2', '3']);
  expect(road.carried.slice(3, 6).map(({ letter }) => letter.recordId)).toEqual(road.carried.slice(0, 3).map(({ letter }) => letter.recordId));
});

test('what was lost long after it was handed on goes again, also when nothing else is to be sent', async () => {
  const receipt = await mail.send('link:b', 'hello');
  await receipt.handed;
  await quiet(); // the outbox has gone to wait for letters
  road.carried[0]?.lose();
  await road.carriedBy(2);
  road.carried[1]?.confirm();
  await receipt.delivered;
  expect(road.carried).toHaveLength(2);
});

test('what was not confirmed goes again after a restart; what was does not', async () => {
  const done = await mail.send('link:b', 'done');
  await road.carriedBy(1);
  road.carried[0]?.confirm();
  await done.delivered;
  const held = await mail.send('link:b', 'held');
  await road.carriedBy(2);
  await close();
  road = new PlayedRoad();
  await open();
  await road.carriedBy(1);
  expect(road.carried.map(({ letter }) => letter.body)).toEqual(['held']);
  expect(await mail.state(done.id)).toBe('delivered');
  expect(await mail.state(held.id)).toBe('handed');
});

test('the same id sent again is one letter', async () => {
  await mail.send('link:b', 'hello', { id: 'x' });
  await mail.send('link:b', 'hello', { id: 'x' });
  await mail.send('link:b', 'next', { id: 'y' });
  await road.carriedBy(2);
  expect(road.carried.map(({ letter }) => letter.id)).toEqual(['x', 'y']);
});

test('a peer without a key is never said to have it', async () => {
  road.keyless = true;
  const receipt = await mail.send('link:alice@h1', 'hello');
  await receipt.handed;
  await expect(receipt.delivered).rejects.toMatchObject({ code: 'unsupported' });
  expect(await mail.state(receipt.id)).toBe('handed');
});

test('mail is not held for a peer without a key that is away', async () => {
  road.keyless = true;
  road.open = false;
  await expect(mail.send('link:alice@h1', 'hello')).rejects.toMatchObject({ code: 'unreachable' });
});

test('what a road refuses for good ends, and the next letter goes', async () => {
  road.refuse = new LanpostError('forbidden', 'not from you');
  const refused = await mail.send('link:b', 'secret');
  await expect(refused.handed).rejects.toMatchObject({ message: 'not from you' });
  expect(await mail.state(refused.id)).toBe('refused');
  road.refuse = undefined;
  await mail.send('link:b', 'next');
  await road.carriedBy(1);
});

test('a letter that expires while no road is open is given up and said so', async () => {
  road.open = false;
  const receipt = await mail.send('link:b', 'hello', { expires: 60_000 });
  const ended = receipt.handed.catch((error: unknown) => error);
  // The pump reads its letter first; then the clock runs past it.
  for (let i = 0; i < 20; i++) {
    await log.append({ topic: 'tick', kind: 'publish', payload: { contentType: 'text/plain', bytes: new Uint8Array() } });
    clock.advance(10_000);
  }
  expect(await ended).toMatchObject({ code: 'expired' });
  expect(await mail.state(receipt.id)).toBe('expired');
});

test('a letter that expires while one that waits for longer is before it is given up in time, and said so', async () => {
  road.open = false;
  await mail.send('link:b', 'for a week');
  const receipt = await mail.send('link:b', 'for a minute', { expires: 60_000 });
  let ended: unknown;
  receipt.handed.catch((error: unknown) => { ended = error; });
  for (let i = 0; i < 20; i++) {
    await log.append({ topic: 'tick', kind: 'publish', payload: { contentType: 'text/plain', bytes: new Uint8Array() } });
    clock.advance(10_000);
  }
  await quiet();
  expect(ended).toMatchObject({ code: 'expired' });
  expect(await mail.state(receipt.id)).toBe('expired');
});

test('a letter that expires while the one before it goes again and again, alone, is given up in time, and said so', async () => {
  await mail.send('link:b', 'for a week');
  const receipt = await mail.send('link:b', 'for a minute', { expires: 60_000 });
  await mail.send('link:b', 'for a week, too');
  let ended: unknown;
  receipt.delivered.catch((error: unknown) => { ended = error; });
  await road.carriedBy(3);
  road.carried[0]?.lose(new LanpostError('timeout'));
  await road.carriedBy(4);
  for (let i = 0; i < 20; i++) {
    await quiet();
    clock.advance(10_000);
  }
  await quiet();
  expect(ended).toMatchObject({ code: 'expired' });
  road.carried[3]?.confirm();
  await road.carriedBy(5);
  expect(road.carried.slice(3).map(({ letter }) => letter.body)).toEqual(['for a week', 'for a week, too']);
});

test.each(['seen', 'paired'] as const)('incoming messages of a %s key are kept once, by record id, and a named reader goes on where it was', async (trust) => {
  const origin = { box: 'b'.repeat(16), epoch: '1.00000001', seq: 7 };
  const incoming = { from: 'link:b', to: 'link:a', trust, body: 'hello', id: 'm1', origin } as const;
  await mail.receive(incoming);
  await mail.receive(incoming);
  await mail.receive({ ...incoming, body: 'again', origin: { ...origin, seq: 8 } });
  const reader = mail.messages({ name: 'flow' });
  expect((await reader.next()).value).toMatchObject({ body: 'hello', from: 'link:b', trust });
  expect((await reader.next()).value).toMatchObject({ body: 'again' });
  await reader.close();
  const again = mail.messages({ name: 'flow' });
  expect((await again.next()).value).toMatchObject({ body: 'again', redelivered: true });
  await again.close();
});

// As many as may be on their way to one address, also in a box whose inbox was made to know fewer.
test.each(['new', 'old'])('as many of a seen key as its box may send before it hears of the first are known again: %s', async (inbox) => {
  if (inbox === 'old') await log.append({ topic: '$inbox/seen', kind: 'configure', config: { maxItems: 50, lane: 'history', maxBytes: 32 * 1024 * 1024 } });
  const all = async (): Promise<void> => {
    for (let seq = 1; seq <= 1000; seq++) await mail.receive({ from: 'link:b', to: 'link:a', trust: 'seen', body: String(seq), origin: { box: 'b'.repeat(16), epoch: '1.00000001', seq } });
  };
  await all();
  await log.items('$inbox/seen', { after: 0 }); // what is beyond the view goes now
  const { head } = log;
  await close();
  await open();
  await all();
  expect(log.head).toBe(head);
  expect(log.topic('$inbox/seen')?.count).toBe(1000);
});

test('a letter is not old because the clock was set forward after it was written, also over a restart', async () => {
  road.open = false;
  const receipt = await mail.send('link:b', 'from a board that keeps no time');
  await receipt.accepted;
  clock.jump(14 * 86_400_000);
  clock.advance(60_000); // in which the log looks at the clock
  await close();
  road.open = true;
  await open();
  await road.carriedBy(1);
  expect(road.carried.map(({ letter }) => letter.body)).toEqual(['from a board that keeps no time']);
});

test.each(['paired', 'seen'] as const)('a letter that comes again when its sender is %s, and was not, is known', async (now) => {
  const before = now === 'paired' ? 'seen' : 'paired';
  const letter = (trust: 'paired' | 'seen', seq: number) => mail.receive({ from: 'link:b', to: 'link:a', trust, body: String(seq), origin: { box: 'b'.repeat(16), epoch: '1.00000001', seq, chain: 'link:a' } });
  for (const seq of [1, 2, 3]) await letter(before, seq);
  await close();
  await open();
  await Promise.all([2, 3, 4, 5].map((seq) => letter(now, seq)));
  const reader = mail.messages({ last: 10 });
  const bodies = [];
  for (let n = 0; n < 5; n++) bodies.push((await reader.next()).value.body);
  expect(bodies).toEqual(['1', '2', '3', '4', '5']);
  await reader.close();
});

test.each(['', 'two\nlines', 'x'.repeat(129)])('%j is no name of a reader', async (name) => {
  await expect(mail.messages({ name }).next()).rejects.toMatchObject({ code: 'invalid-value' });
  expect([...log.cursors()]).toEqual([]);
});

test('a named reader that is new begins where it is told, and goes on where it was', async () => {
  const receive = (body: string): Promise<void> => mail.receive({ from: 'link:b', to: 'link:a', trust: 'seen', body });
  const first = async (options: MessagesOptions): Promise<Message> => {
    await using reader = mail.messages(options);
    return (await reader.next()).value as Message;
  };
  await receive('1');
  const { body, seq } = await first({ name: 'all' });
  const isNew = mail.messages({ name: 'new', from: 'new' });
  const next = isNew.next();
  await expect.poll(() => [...log.cursors()].length).toBe(2);
  await receive('2');
  expect([body, (await next).value.body]).toEqual(['1', '2']);
  await isNew.close();
  expect(await first({ name: 'start', from: 'start' })).toMatchObject({ body: '1' });
  expect(await first({ name: 'at', from: { seq: seq + 1 } })).toMatchObject({ body: '2' });
  expect(await first({ name: 'all', from: 'new' })).toMatchObject({ body: '1', redelivered: true });
  await expect(mail.messages({ name: 'x', from: 'last' as 'new' }).next()).rejects.toMatchObject({ code: 'invalid-value' });
  expect(() => mail.messages({ from: 'new' })).toThrow(TypeError);
});

test('since when nobody reads with a named reader is kept, also when the process was killed while it was read', async () => {
  const left = (): unknown => [...log.cursors()].map(({ extra }) => extra);
  clock.advance(1000);
  const reader = mail.messages({ name: 'flow' });
  const next = reader.next();
  await expect.poll(() => [...log.cursors()].length).toBe(1);
  expect(left()).toEqual([undefined]);
  clock.advance(1000);
  await reader.close();
  await next;
  const since = clock.wall();
  expect(left()).toEqual([{ since }]);
  clock.advance(1000);
  await close();
  await open();
  expect(left()).toEqual([{ since }]);
  const again = mail.messages({ name: 'flow' });
  const waits = again.next();
  await expect.poll(left).toEqual([{}]);
  await again.close();
  await waits;
  // As one is that was killed now.
  await log.annotate('inbox:flow', {});
  await close();
  clock.advance(1000);
  await open();
  expect(left()).toEqual([{ since: clock.wall() }]);
});

test('peers without a key share a box that is bounded', async () => {
  const body = 'x'.repeat(200_000);
  const send = () => mail.receive({ from: 'link:alice@h1', to: 'link:a', trust: 'none', body });
  const reader = mail.messages({ name: 'flow' });
  await send();
  await reader.next();
  await expect((async () => { for (let i = 0; i < 200; i++) await send(); })()).rejects.toMatchObject({ code: 'topic-full' });
  await mail.receive({ from: 'link:b', to: 'link:a', trust: 'seen', body: 'still open to keys' });
  await reader.close();
});

test('without a name: the last first, then what comes', async () => {
  const receive = (body: string) => mail.receive({ from: 'link:b', to: 'link:a', trust: 'seen', body });
  for (const body of ['1', '2', '3']) await receive(body);
  const reader = mail.messages({ last: 2 });
  const bodies = [(await reader.next()).value.body, (await reader.next()).value.body];
  await receive('4');
  expect([...bodies, (await reader.next()).value.body]).toEqual(['2', '3', '4']);
  await reader.close();
});

test('letters of one box from two of its outboxes are told apart, in whatever order they come', async () => {
  const origin = { box: 'b'.repeat(16), epoch: '1.00000001' };
  const receive = (seq: number, chain: string) =>
    mail.receive({ from: 'link:b', to: 'link:a', trust: 'paired', body: `${chain} ${seq}`, origin: { ...origin, seq, chain } });
  for (const [seq, chain] of [[20, 'new-name'], [10, 'old-name'], [20, 'new-name'], [11, 'old-name']] as const) await receive(seq, chain);
  const reader = mail.messages({ name: 'flow' });
  const bodies = [];
  for (let i = 0; i < 3; i++) bodies.push((await reader.next()).value.body);
  expect(bodies).toEqual(['new-name 20', 'old-name 10', 'old-name 11']);
  await reader.close();
});

test('a letter for a name that an impostor has taken waits for the key it is meant for', async () => {
  road.refuse = new LanpostError('impostor', 'not who it says');
  const receipt = await mail.send('link:b', 'secret');
  await quiet();
  expect(await mail.state(receipt.id)).toBe('accepted');
  road.refuse = undefined;
  mail.roadsChanged();
  await road.carriedBy(1);
  road.carried[0]?.confirm();
  await receipt.delivered;
});

test('a road that opens while the pump looks at its letters is noticed at once', async () => {
  road.open = false;
  await mail.send('link:b', 'hello');
  // Opens in each of the turns that the pump takes to find out that there is none.
  for (let turns = 0; turns < 40; turns++) {
    road.open = false;
    clock.advance(8000); // so many changes in no time would be taken together
    mail.roadsChanged();
    for (let i = 0; i < turns; i++) await Promise.resolve();
    road.open = true;
    mail.roadsChanged();
    await quiet();
    expect(road.carried).toHaveLength(turns + 1);
    road.carried[turns]?.confirm();
    await quiet();
    road.open = false;
    mail.roadsChanged();
    await quiet();
    await mail.send('link:b', `hello ${turns}`);
  }
});

test('a clock that is set, or that jumps, expires nothing', async () => {
  await close();
  clock = createTestClock(0); // 1970: it has no battery
  await open();
  road.open = false;
  await mail.send('link:b', 'hello', { expires: 3_600_000 });
  await quiet();
  clock.jump(Date.UTC(2026, 10, 1));
  clock.advance(60_000);
  mail.roadsChanged();
  await quiet();
  const later = await mail.send('link:c', 'hello', { expires: 3_600_000 });
  clock.jump(50 * 365 * 24 * 3_600_000);
  clock.advance(60_000);
  await quiet();
  expect(await mail.state(later.id)).toBe('accepted');
  road.open = true;
  mail.roadsChanged();
  await road.carriedBy(2);
});

test.each([{ expires: Number.NaN }, { expires: '10' }, { expires: -1 }, { subject: 5 }, { thread: {} }, { id: 7 }])('refuses options that no letter can have: %j', async (options) => {
  road.open = false;
  await expect(mail.send('link:b', 'hello', options as never)).rejects.toThrow(TypeError);
  expect(log.topic('$mail/link:b')).toBeUndefined();
});

test('both receipts of a letter that was sent twice are told', async () => {
  road.open = false;
  const [first, second] = [await mail.send('link:b', 'hello', { id: 'm1' }), await mail.send('link:b', 'hello', { id: 'm1' })];
  road.open = true;
  mail.roadsChanged();
  await road.carriedBy(1);
  road.carried[0]?.confirm();
  expect(await Promise.allSettled([first.delivered, second.delivered])).toMatchObject([{ status: 'fulfilled' }, { status: 'fulfilled' }]);
});

test('the inbox of peers without a key is full only as long as a reader has to read it', async () => {
  const send = (size: number) => mail.receive({ from: 'link:alice@h1', to: 'link:a', trust: 'none', body: 'x'.repeat(size) });
  for (let i = 0; i < 60; i++) await send(200_000);
  await expect(send(5)).resolves.toBeUndefined();
});

test('a peer that refuses mail, and changes without end, is tried now and then, and that is told now and then', async () => {
  await close();
  const troubles: string[] = [];
  log = await openLog({ database: kept, clock, boxId: 'aaaaaaaaaaaaaaaa', trouble: () => undefined });
  mail = new Mail({ log, clock, roads: [road], isHomeDomain: () => false, trouble: ({ kind }) => troubles.push(kind), limits: { stanzaBytes: 262_144 } });
  let tries = 0;
  road.deliver = () => {
    tries += 1;
    return Promise.reject(new LanpostError('unreachable'));
  };
  await mail.send('link:b', 'hello');
  for (let ms = 0; ms < 10_000; ms += 10) {
    mail.roadsChanged();
    await quiet();
    clock.advance(10);
  }
  expect(tries).toBeGreaterThan(20); // each half second
  expect(tries).toBeLessThan(60);
  expect(troubles.length).toBeLessThan(5);
});

// The recipient's disk is full: it ends the stream, and the next one opens as readily.
test('what is handed on and lost every time goes again with growing pauses, however often a road opens', async () => {
  const receipt = await mail.send('link:b', 'hello');
  const lost = async (): Promise<void> => {
    const count = road.carried.length;
    road.carried.at(-1)?.lose();
    mail.roadsChanged();
    await quiet();
    mail.roadsChanged();
    await quiet();
    expect(road.carried.length - count).toBeLessThanOrEqual(1);
  };
  await road.carriedBy(1);
  await lost();
  expect(road.carried).toHaveLength(2); // it may have been chance
  for (const pause of [500, 1000, 2000]) {
    const count = road.carried.length;
    await lost();
    clock.advance(pause - 1);
    await quiet();
    expect(road.carried).toHaveLength(count);
    clock.advance(1);
    await road.carriedBy(count + 1);
  }
  road.carried.at(-1)?.confirm();
  await receipt.delivered;
  const after = road.carried.length;
  await mail.send('link:b', 'and on');
  await road.carriedBy(after + 1);
  road.carried.at(-1)?.lose();
  await road.carriedBy(after + 2);
});

test('nothing is sent, and nothing hangs, once it is closed', async () => {
  road.open = false;
  const sending = mail.send('link:new', 'hello').catch((error: unknown) => error);
  await mail.close();
  await sending;
  road.open = true;
  mail.roadsChanged();
  await quiet();
  expect(road.carried).toEqual([]);
});

test('what a road takes while it closes does not go again; what no road has by then does', async () => {
  const take: (() => void)[] = [];
  const deliver = road.deliver.bind(road);
  road.deliver = async (address, letter) => {
    await deliver(address, letter);
    const taken = new Promise<void>((resolve) => { take.push(resolve); });
    return { handed: taken, taken };
  };
  await mail.send('xmpp:c@home.test', 'there');
  await mail.send('xmpp:c@home.test', 'not there');
  await road.carriedBy(2);
  await mail.stop();
  take[0]?.();
  await quiet();
  await close();
  expect(road.carried.splice(0)).toHaveLength(2);
  await open();
  await road.carriedBy(1);
  await quiet();
  expect(road.carried.map(({ letter }) => letter.body)).toEqual(['not there']);
});

test('nothing follows a letter that goes alone until that is taken, or lost', async () => {
  const ways: { take: () => void; lose: (error: Error) => void }[] = [];
  const deliver = road.deliver.bind(road);
  road.deliver = async (address, letter) => {
    await deliver(address, letter);
    const taken = new Promise<void>((take, lose) => { ways.push({ take, lose }); });
    return { handed: taken, taken, alone: true };
  };
  for (const body of ['1', '2', '3']) await mail.send('xmpp:c@home.test', body);
  const carried = async (): Promise<string[]> => {
    await quiet();
    return road.carried.map(({ letter }) => letter.body);
  };
  expect(await carried()).toEqual(['1']);
  ways[0]?.take();
  expect(await carried()).toEqual(['1', '2']);
  ways[1]?.lose(new Error('broken'));
  await road.carriedBy(3);
  expect(await carried()).toEqual(['1', '2', '2']);
  ways[2]?.take();
  expect(await carried()).toEqual(['1', '2', '2', '3']);
});

describe('a letter that comes back after its road had it', () => {
  let stay: { gone: (error: LanpostError) => void; stays: () => void }[];
  let troubles: string[];
  beforeEach(async () => {
    await mail.close();
    [stay, troubles] = [[], []];
    const deliver = road.deliver.bind(road);
    road.deliver = async (address, letter) => {
      await deliver(address, letter);
      return { handed: Promise.resolve(), taken: Promise.resolve(), stays: new Promise<void>((stays, gone) => { stay.push({ gone, stays }); }) };
    };
    mail = new Mail({ log, clock, roads: [road], isHomeDomain: () => false, trouble: ({ kind }) => { troubles.push(kind); }, limits: { stanzaBytes: 262_144 } });
    const { handed } = await mail.send('xmpp:c@home.test', 'hello', { id: 'm1' });
    await handed;
    await quiet();
  });

  test('is refused, and that is told', async () => {
    expect(await mail.state('m1')).toBe('handed');
    stay[0]?.gone(new LanpostError('forbidden', 'nobody is there'));
    await quiet();
    expect([await mail.state('m1'), troubles]).toEqual(['refused', ['mail.returned']]);
    clock.advance(3_600_000);
    await quiet();
    expect(road.carried).toHaveLength(1);
  });

  test('goes again each minute where that may help, and is handed when it stays', async () => {
    for (const times of [1, 2, 3]) {
      stay.at(-1)?.gone(new LanpostError('unreachable', 'its store is full'));
      await quiet();
      expect([await mail.state('m1'), road.carried.length]).toEqual(['refused', times]);
      clock.advance(60_000);
      await quiet();
    }
    stay.at(-1)?.stays();
    await quiet();
    clock.advance(3_600_000);
    await quiet();
    expect([await mail.state('m1'), road.carried.map(({ letter }) => letter.id)]).toEqual(['handed', ['m1', 'm1', 'm1', 'm1']]);
  });

  test('does not once the box stops', async () => {
    stay[0]?.gone(new LanpostError('unreachable', 'its store is full'));
    await quiet();
    await mail.close();
    clock.advance(3_600_000);
    await quiet();
    expect(road.carried).toHaveLength(1);
  });

  test('does so no longer than it is good for', async () => {
    clock.advance(7 * 24 * 3_600_000);
    stay[0]?.gone(new LanpostError('unreachable'));
    await quiet();
    clock.advance(60_000);
    await quiet();
    expect(road.carried).toHaveLength(1);
  });
});

describe('an address with two roads', () => {
  let far: PlayedRoad;
  let letters: Receipt[];
  beforeEach(async () => {
    await mail.close();
    far = new PlayedRoad();
    mail = new Mail({ log, clock, roads: [road, far], isHomeDomain: () => false, trouble: () => undefined, limits: { stanzaBytes: 262_144 } });
    letters = [];
  });
  const say = async (...texts: string[]): Promise<void> => {
    for (const text of texts) letters.push(await mail.send('xmpp:b@home.test', text));
  };
  const bodies = (one: PlayedRoad): string[] => one.carried.map(({ letter }) => letter.body);

  test('has all that is unconfirmed go first over the nearer one, in order and under the same numbers, when that opens', async () => {
    road.open = false;
    await say('0', '1', '2');
    await far.carriedBy(3);
    far.carried[0]?.confirm();
    await letters[0]?.delivered;
    road.open = true;
    await say('3');
    await road.carriedBy(3);
    expect(bodies(road)).toEqual(['1', '2', '3']);
    expect(road.carried.slice(0, 2).map(({ letter }) => letter.recordId)).toEqual(far.carried.slice(1).map(({ letter }) => letter.recordId));
  });

  test('and back, when that closes', async () => {
    await say('0', '1');
    await road.carriedBy(2);
    road.open = false;
    await say('2');
    await far.carriedBy(3);
    expect(bodies(far)).toEqual(['0', '1', '2']);
  });

  test('takes what the older road says as well, but not that it failed', async () => {
    road.open = false;
    await say('0', '1');
    await far.carriedBy(2);
    road.open = true;
    mail.roadsChanged();
    await road.carriedBy(2);
    far.carried[1]?.lose();
    far.carried[0]?.confirm();
    await letters[0]?.delivered;
    await say('2');
    await road.carriedBy(3);
    expect(bodies(road)).toEqual(['0', '1', '2']);
    expect(await mail.state(letters[1]?.id ?? '')).toBe('handed');
  });

  test('says of each letter which unconfirmed one goes before it', async () => {
    await say('0', '1', '2');
    await road.carriedBy(3);
    const ids = road.carried.map(({ letter }) => letter.recordId);
    expect(road.carried.map(({ letter }) => letter.after)).toEqual([undefined, ids[0], ids[1]]);
    road.carried[0]?.confirm();
    road.carried[1]?.confirm();
    road.carried[2]?.confirm();
    await letters[2]?.delivered;
    await say('3');
    await road.carriedBy(4);
    expect(road.carried[3]?.letter).toMatchObject({ body: '3', previous: expect.any(Number) });
    expect(road.carried[3]?.letter.after).toBeUndefined();
  });

  test('is tried with one letter at a time while nothing is heard of the recipient', async () => {
    await say('0', '1', '2');
    await road.carriedBy(3);
    road.carried[0]?.lose(new LanpostError('timeout'));
    await road.carriedBy(4);
    await quiet();
    expect(bodies(road)).toEqual(['0', '1', '2', '0']);
    road.carried[3]?.confirm();
    await road.carriedBy(6);
    expect(bodies(road).slice(4)).toEqual(['1', '2']);
  });

  test('loses, doubles and reorders none of 10,000, with 600 in flight at each change', async () => {
    const inFlight: number[] = [];
    const got: string[] = [];
    let highest = 0;
    // What a box does with what comes to it: numbers it has had are a repeat, what goes before must be there.
    const arrive = ({ letter: { recordId, after, body } }: PlayedRoad['carried'][number]): boolean => {
      const number = (id: string): number => Number(id.slice(id.lastIndexOf('-') + 1));
      if (after !== undefined && number(after) > highest) return false;
      if (number(recordId) > highest) got.push(body);
      highest = Math.max(highest, number(recordId));
      return true;
    };
    road.open = false;
    let sent = 0;
    let late: PlayedRoad['carried'] = [];
    for (let turn = 0; got.length < 10_000; turn += 1) {
      const [from, to] = turn % 2 === 0 ? [far, road] : [road, far];
      const more = Math.min(1000, 10_000 - sent);
      for (let n = 0; n < more; n += 1) void mail.send('xmpp:b@home.test', String(sent + n));
      sent += more;
      await from.carriedBy(Math.min(1000, sent - got.length));
      inFlight.push(from.carried.length);
      // The newest that the other road kept overtake what is here; of these a few come and are confirmed, a few come only.
      late.forEach(arrive);
      const cut = from.carried.splice(0);
      for (const [n, one] of cut.entries()) if (n < 300 && arrive(one) && n < 200) one.confirm();
      late = cut.slice(500);
      await quiet();
      from.carried.splice(0);
      for (const one of cut.slice(200)) one.lose();
      [from.open, to.open] = [false, true];
      mail.roadsChanged();
      clock.advance(1_000);
      if (sent < 10_000) continue;
      // All that is left goes over the last one, and comes.
      for (let left = 10_000 - got.length; left > 0; left = 10_000 - got.length) {
        await to.carriedBy(Math.min(1000, left));
        for (const one of to.carried.splice(0)) if (arrive(one)) one.confirm();
      }
    }
    expect(inFlight.slice(0, -1).every((many) => many >= 600)).toBe(true);
    expect(got).toEqual(Array.from({ length: 10_000 }, (_, n) => String(n)));
  });

  test('has no more on its way than a window, of what the road does not have yet as well', async () => {
    const pass: (() => void)[] = [];
    const deliver = far.deliver.bind(far);
    far.deliver = async (address, letter) => ({ ...await deliver(address, letter), handed: new Promise<void>((resolve) => { pass.push(resolve); }) });
    road.open = false;
    for (let n = 0; n < 2000; n += 1) void mail.send('xmpp:b@home.test', String(n));
    await far.carriedBy(256);
    await quiet();
    expect(far.carried).toHaveLength(256);
    for (let round = 1; round < 4; round += 1) {
      for (const passed of pass.splice(0)) passed();
      await far.carriedBy(Math.min(1000, 256 * (round + 1)));
      await quiet();
    }
    expect(far.carried).toHaveLength(1000);
    for (const { confirm } of far.carried.splice(0, 10)) confirm();
    for (const passed of pass.splice(0)) passed();
    await far.carriedBy(1000);
    await quiet();
    expect(far.carried).toHaveLength(1000);
  });

  test('nor more bytes, of what nobody will confirm as well', async () => {
    const pass: (() => void)[] = [];
    const deliver = far.deliver.bind(far);
    far.deliver = async (address, letter) => {
      await deliver(address, letter);
      const handed = new Promise<void>((resolve) => { pass.push(resolve); });
      return { handed, taken: handed };
    };
    road.open = false;
    for (let n = 0; n < 20; n += 1) void mail.send('xmpp:b@home.test', 'x'.repeat(100_000));
    await far.carriedBy(6);
    await quiet();
    expect(far.carried).toHaveLength(6);
    for (const passed of pass.splice(0)) passed();
    await far.carriedBy(12);
    await quiet();
    expect(far.carried).toHaveLength(12);
  });
});

test('a message that its road brings again is kept once, also after a restart; another of the same words is another', async () => {
  const one = { from: 'xmpp:v@home.test/x', to: 'xmpp:me@home.test', trust: 'none' as const, body: 'hi', id: 'm1' };
  await mail.receive({ ...one, repeat: 'a' });
  await mail.receive({ ...one, repeat: 'a' });
  await close();
  await open();
  await mail.receive({ ...one, repeat: 'a' });
  await mail.receive({ ...one, repeat: 'b' });
  expect((await log.items('$inbox/keyless')).map(({ id }) => id)).toEqual(['a', 'b']);
});
