// One suite for the box in this process and the box at the other end of the socket: the same Box.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { attachBox, createBox, type Box, type Delivery, type Item, type Subscription, type Value } from '../../src/index.ts';

const VALUES: Value[] = [
  null, true, 0, -1.5, Number.MAX_SAFE_INTEGER, 1e300, '', 'ünï😀 <&> \u0000', [], {}, [[1, [2, 'x']], null], { a: { 'b c': [true] }, '': 0 },
  Uint8Array.from([]), Uint8Array.from([0, 1, 254, 255]), { inner: Uint8Array.from([7]) },
];

async function take(subscription: AsyncIterator<Delivery>, count: number): Promise<Item[]> {
  const items: Item[] = [];
  while (items.length < count) {
    const step = await subscription.next();
    if (step.done) throw new Error('ended early');
    if (step.value.kind === 'item') items.push(step.value);
  }
  return items;
}

describe.each(['in this process', 'attached'])('a box %s', (where) => {
  let dir: string;
  let owner: Box;
  let box: Box;
  const open: Subscription[] = [];
  const subscribe = (...args: Parameters<Box['subscribe']>): Subscription => {
    const subscription = box.subscribe(...args);
    open.push(subscription);
    return subscription;
  };

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'lanpost-box-'));
    owner = await createBox({ dir, link: false, name: 'test' });
    box = where === 'attached' ? await attachBox({ dir }) : owner;
  });
  afterEach(async () => {
    await Promise.all(open.splice(0).map((subscription) => subscription.close()));
    await box.close();
    await owner.close();
    await rm(dir, { recursive: true, force: true });
  });

  it('says when a reader of messages is in place, and why it never will be', async () => {
    const messages = box.messages({ name: 'r', from: 'new' });
    await messages.ready;
    expect((await owner.subscriptions.list()).map(({ name }) => name)).toEqual(['inbox:r']);
    const second = box.messages({ name: 'r' });
    await expect(second.ready).rejects.toMatchObject({ code: 'in-use' });
    await expect(second.next()).rejects.toMatchObject({ code: 'in-use' });
    await messages.close();
  });

  it('bounds what waits for a reader, says so, and tells of what was lost', async () => {
    const options = { durable: 'b', from: 'start', maxBacklog: { records: 2, age: 3_600_000 } } as const;
    const before = subscribe('bounded', options);
    await before.ready;
    await before.close();
    expect(await box.subscriptions.list()).toMatchObject([{ name: 'b', maxBacklog: { records: 2, age: 3_600_000 } }]);
    for (const value of [1, 2, 3, 4]) await box.publish('bounded', value);
    await expect.poll(async () => (await box.items('$ledger', { last: 1 }).catch(() => [])).length, { interval: 50, timeout: 10_000 }).toBe(1);
    const after = subscribe('bounded', { durable: 'b', maxBacklog: {} });
    expect((await after.next()).value).toMatchObject({ kind: 'gap', count: 2, reason: 'overflow' });
    expect((await after.next()).value).toMatchObject({ kind: 'item', value: 3 });
    expect((await box.subscriptions.list())[0]).not.toHaveProperty('maxBacklog');
    await box.subscriptions.drop('b').catch(() => undefined);
  });

  it('tells what becomes of an item at a durable reader', async () => {
    const reader = subscribe('work', { durable: 'w', from: 'start', ack: 'manual', maxDeliveries: 1, maxBacklog: { records: 1000 } });
    await reader.ready;
    const publish = (value: Value): Promise<number> => box.publish('work', value, { follow: 'w' }).then(({ seq }) => seq);
    const [good, bad] = [await publish('good'), await publish('bad')];
    const told = box.delivered(good, 'w');
    for (const item of await take(reader, 2)) if (item.seq === good) item.ack(); else item.nack();
    await told;
    // It is put aside when its turn comes again.
    const last = take(reader, 2);
    await expect(box.delivered(bad, 'w')).rejects.toMatchObject({ code: 'refused', message: expect.stringContaining('put aside') });
    await expect(box.delivered(bad, 'w')).rejects.toMatchObject({ code: 'not-found' });
    const stop = new AbortController();
    const waiting = box.delivered(await publish('left'), 'w', { signal: stop.signal });
    stop.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
    const dropped = box.delivered(await publish('dropped'), 'w').catch((error: unknown) => error);
    await last;
    await reader.close();
    await box.subscriptions.drop('w');
    expect(await dropped).toMatchObject({ code: 'dropped' });
    await expect(box.publish('work', 1, { follow: 'w' })).rejects.toMatchObject({ code: 'not-found' });
    await expect(box.publish('work', 1, { follow: 'xmpp:me@nowhere.example' })).rejects.toMatchObject({ code: 'not-found' });
    await expect(box.publish('work', 1, { follow: 'w', at: 'somebody' })).rejects.toMatchObject({ code: 'unsupported' });
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- of a wrong type on purpose
    await expect(box.publish('work', 1, { follow: 5 as unknown as string })).rejects.toThrow(TypeError);
  });

  it('counts deliveries, puts aside, tries again, goes elsewhere, and says what is kept for whom', async () => {
    for (const value of ['bad', 'good']) await box.publish('work', value);
    const options = { durable: 'w', from: 'start', ack: 'manual', maxDeliveries: 2, expires: 3_600_000 } as const;
    const reader = subscribe('work', options);
    for (let run = 0; run < 2; run++) {
      const [bad] = await take(reader, 1);
      expect(bad).toMatchObject({ value: 'bad', redelivered: run > 0 });
      bad?.nack();
    }
    const [good] = await take(reader, 1);
    expect(good).toMatchObject({ value: 'good', redelivered: false });
    good?.ack();
    await reader.close();
    expect(await box.subscriptions.list()).toMatchObject([{ name: 'w', pending: 0, poison: 1, readers: 0, maxDeliveries: 2, expires: 3_600_000, abandonedSince: expect.any(Number), expiresAt: expect.any(Number) }]);
    const [poison] = await box.subscriptions.poison('w');
    expect(poison).toMatchObject({ deliveries: 2, reason: 'handed out 2 times and never confirmed', delivery: { value: 'bad', topic: 'work' } });
    expect(poison?.since).toBeGreaterThan(1e12);
    expect(await box.subscriptions.retry('w', [poison?.delivery.seq ?? 0])).toBe(1);
    const again = subscribe('work', options);
    const [bad] = await take(again, 1);
    expect(bad).toMatchObject({ value: 'bad', redelivered: true });
    bad?.ack();
    await box.subscriptions.seek('w', 'start');
    expect((await take(again, 2)).map(({ value, redelivered }) => [value, redelivered])).toEqual([['bad', true], ['good', true]]);
    await again.close();
    expect(await box.subscriptions.dropPoison('w')).toBe(0);
    await expect(box.subscriptions.seek('none', 'new')).rejects.toMatchObject({ code: 'not-found' });
    await expect(box.subscriptions.retry('w', ['x'] as never)).rejects.toThrow(TypeError);
  });

  it('an item may be over at a time of its own', async () => {
    await box.publish('a', 'over at once', { id: 'x', expires: 0 });
    await box.publish('a', 'stays');
    await expect.poll(async () => (await box.items('a')).map((one) => one.kind === 'item' && one.value), { interval: 20, timeout: 10_000 }).toEqual(['stays']);
    await expect(box.publish('a', 1, { expires: -1 })).rejects.toMatchObject({ code: 'invalid-value' });
    await expect(box.publish('a', 1, { at: 'nobody', expires: 1 })).rejects.toMatchObject({ code: 'unsupported' });
  });

  it('says in its own words what an argument should have been', async () => {
    const first = async (...args: unknown[]): Promise<unknown> => subscribe(...args as Parameters<Box['subscribe']>).next();
    const wrong: [() => Promise<unknown>, string][] = [
      [() => box.publish(5 as never, 1), 'a topic must be a string'],
      [() => box.publish('a', 1, 'x' as never), 'the options of publish must be an object'],
      [() => box.publish('a', 1, { id: 5 } as never), 'an item id must be a string'],
      [() => box.publish('a', 1, { expires: '5s' } as never), 'expires must be a number'],
      [() => box.items('a', { ids: 'x' } as never), 'ids must be a list of strings'],
      [() => box.items('a', { last: '3' } as never), 'last must be a number'],
      [() => box.items('a', 'x' as never), 'the options of a query must be an object'],
      [() => box.retract('a', undefined as never), 'an item id must be a string'],
      [() => box.topics.create('zz', 'x' as never), 'a topic configuration must be an object'],
      [() => box.topics.configure('a', [] as never), 'a topic configuration must be an object'],
      [() => box.topics.get(5 as never), 'a topic must be a string'],
      [() => box.topics.search('x' as never), 'a query must be an object'],
      [() => box.topics.search({ limit: '5' } as never), 'the limit must be a number'],
      [() => first(5), 'a filter must be a string'],
      [() => first('a', 'x'), 'the options of a subscription must be an object'],
      [() => first('a', { group: 1, durable: 'd' }), 'group must be a boolean'],
      [() => first('a', { ack: true }), 'ack must be a string'],
      [() => first('a', { ackWait: '1s' }), 'ackWait must be a number'],
      [() => first('a', { durable: 5 }), 'durable must be a string'],
    ];
    await box.publish('a', 1);
    for (const [call, message] of wrong) await expect((async () => call())()).rejects.toMatchObject({ name: 'TypeError', message });
  });

  it('takes no value that it does not know for one that it does', async () => {
    const first = async (options: object): Promise<unknown> => subscribe('a', options).next();
    await box.publish('a', 1);
    for (const call of [
      () => first({ ack: 'bogus' }), () => first({ group: true }), () => first({ ackWait: -1 }), () => first({ from: 5 }),
      () => box.topics.search({ foo: 1 } as never), () => box.items('a', { form: 'start' } as never), () => box.items('a', { after: -1 }),
    ]) await expect((async () => call())()).rejects.toMatchObject({ code: 'invalid-value' });
    expect(await box.subscriptions.list()).toEqual([]);
  });

  it('has topics in memory: for readers who are there, with positions that survive the way', async () => {
    await box.topics.create('raw', { storage: 'memory' });
    const reader = subscribe('raw', { ack: 'manual' });
    await reader.ready;
    const { seq } = await box.publish('raw', 1);
    expect(seq).toBeGreaterThanOrEqual(2 ** 52);
    const [first] = await take(reader, 1);
    expect(first).toMatchObject({ value: 1, seq });
    first?.nack();
    const [again] = await take(reader, 1);
    expect(again).toMatchObject({ value: 1, seq, redelivered: true });
    again?.ack();
    expect(await box.items('raw')).toMatchObject([{ value: 1, seq }]);
    expect(await box.topics.get('raw')).toMatchObject({ storage: 'memory', items: 1, lastSeq: seq });
    await expect(subscribe('raw', { durable: 'd' }).ready).rejects.toMatchObject({ code: 'unsupported' });
    await expect(box.topics.configure('raw', { storage: 'disk' })).rejects.toMatchObject({ code: 'invalid-value' });
  });

  it('takes back what is not confirmed in time', async () => {
    await box.publish('work', 1);
    const reader = subscribe('work', { durable: 'w', from: 'start', ack: 'manual', ackWait: 20, inFlight: 1 });
    const [first] = await take(reader, 1);
    const [second] = await take(reader, 1);
    expect([first?.redelivered, second?.redelivered]).toEqual([false, true]);
    second?.ack();
  });

  it('has the name and the status of the box', async () => {
    expect(box.name).toBe(owner.name);
    expect(await box.status()).toMatchObject({ name: owner.name, dir, link: { state: 'off' }, homes: [], peers: 0, log: { state: 'open' } });
  });

  it('says of itself what it is told to, and keeps it', async () => {
    await box.setStatus('dnd', 'measuring');
    await box.setAbout({ nick: 'Hall', email: ['hall@example.org'] });
    await box.setAbout({ first: 'H', personal: false });
    const said = { status: 'dnd', statusText: 'measuring', about: { nick: 'Hall', email: ['hall@example.org'], first: 'H', personal: false } };
    expect((await box.status()).presence).toEqual(said);
    await expect(box.setAbout({ nick: 'x'.repeat(250) })).rejects.toMatchObject({ code: 'too-large' });
    await expect(box.setAbout({ phone: '1' } as never)).rejects.toThrow(TypeError);
    await expect(box.setStatus('partying' as never)).rejects.toMatchObject({ code: 'invalid-value' });
    const image = Uint8Array.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
    await box.setAvatar(image);
    expect((await box.status()).presence.avatar).toMatch(/^[0-9a-f]{40}$/);
    await box.setAvatar();
    expect((await box.status()).presence).toEqual(said);
    await expect(box.setAvatar(Uint8Array.of(1))).rejects.toMatchObject({ code: 'invalid-value' });
    await expect(box.setAvatar('x' as never)).rejects.toThrow(TypeError);
    await expect(box.peers.features('nobody@nowhere')).rejects.toMatchObject({ code: 'unreachable' });
    await expect(box.peers.topics('nobody@nowhere', { text: 'x' })).rejects.toMatchObject({ code: 'unreachable' });
    await expect(box.peers.avatar('nobody@nowhere')).rejects.toMatchObject({ code: 'unreachable' });
    await box.close();
    await owner.close();
    await expect(createBox({ dir, link: { interfaces: ['none'], about: { email: ['nobody'] } } })).rejects.toMatchObject({ code: 'invalid-value' });
    owner = await createBox({ dir, link: { interfaces: ['none'], about: { nick: 'for now' }, personal: true }, name: 'test' });
    box = owner;
    expect((await owner.status()).presence).toEqual({ ...said, about: { ...said.about, nick: 'for now', personal: true } });
  });

  it('says that it sees nobody when its link is off, and stops when it is left or aborted', async () => {
    for await (const finding of box.doctor()) {
      expect(finding).toMatchObject({ check: 'box', level: 'problem', cause: 'link-off', advice: expect.any(String) });
      break;
    }
    const aborted = box.doctor(undefined, { signal: AbortSignal.abort(new Error('enough')) });
    await expect((async () => { for await (const finding of aborted) expect(finding.cause).toBe('link-off'); })()).rejects.toThrow('enough');
  });

  it('publishes every kind of value, and delivers it as it was', async () => {
    const subscription = subscribe('values');
    await subscription.ready;
    for (const value of VALUES) await box.publish('values', value);
    const items = await take(subscription, VALUES.length);
    expect(items.map((item) => item.value)).toEqual(VALUES);
    expect(items.map((item) => item.value instanceof Uint8Array && Object.getPrototypeOf(item.value) !== Uint8Array.prototype)).not.toContain(true);
  });

  it('keeps XML, and any media type', async () => {
    await box.publish('x', '<a xmlns="urn:x"><b/></a>', { contentType: 'application/xml' });
    await box.publish('x', Uint8Array.from([1]), { contentType: 'image/png' });
    const items = await box.items('x');
    expect(items).toMatchObject([{ contentType: 'application/xml', value: expect.stringContaining('<b/>') }, { contentType: 'image/png' }]);
  });

  it('tells what was published, and what was here already', async () => {
    const first = await box.publish('t', 1, { id: 'one' });
    expect(first).toMatchObject({ topic: 't', id: 'one', repeated: false });
    expect(await box.publish('t', 1, { id: 'one' })).toMatchObject({ recordId: first.recordId, seq: first.seq, repeated: true });
    expect(await box.items('t', { ids: ['one'] })).toMatchObject([{ kind: 'item', id: 'one', value: 1, recordId: first.recordId }]);
    await expect(box.publish('t', 2, { signal: AbortSignal.abort(new Error('enough')) })).rejects.toThrow('enough');
  });

  it.each<[string, unknown, string]>([
    ['bad/#/topic', 1, 'invalid-topic'], ['', 1, 'invalid-topic'], ['t', undefined, 'invalid-value'], ['t', Number.NaN, 'invalid-value'],
    ['t', 'lone \ud800', 'invalid-value'], ['t', { deep: [() => 1] }, 'invalid-value'], ['t', 'x'.repeat(3_000_000), 'too-large'],
  ])('refuses to publish to %j what it cannot: %#', async (topic, value, code) => {
    await expect(box.publish(topic, value as Value)).rejects.toMatchObject({ name: 'LanpostError', code });
  });

  it('confirms with auto when the next is asked for, and not by leaving', async () => {
    for (const value of [1, 2, 3, 4]) await box.publish('auto', value);
    for await (const delivery of subscribe('auto', { durable: 'a', from: 'start' })) {
      if (delivery.kind === 'item' && delivery.value === 3) break;
    }
    const rest = await take(subscribe('auto', { durable: 'a' }), 2);
    expect(rest.map((item) => item.value)).toEqual([3, 4]);
    expect(rest[0]?.redelivered).toBe(true);
  });

  it('confirms with manual what is acknowledged, and brings the rest again', async () => {
    for (let value = 0; value < 10; value++) await box.publish('manual', value);
    const first = subscribe('manual', { durable: 'm', from: 'start', ack: 'manual' });
    const items = await take(first, 10);
    for (const item of items) if (Number(item.value) % 2 === 0) item.ack();
    await first.close();
    const again = await take(subscribe('manual', { durable: 'm', ack: 'manual' }), 5);
    expect(again.map((item) => item.value)).toEqual([1, 3, 5, 7, 9]);
    expect(again.every((item) => item.redelivered)).toBe(true);
  });

  it('brings again what is given back', async () => {
    await box.publish('back', 'x');
    const subscription = subscribe('back', { from: 'start', ack: 'manual' });
    const [item] = await take(subscription, 1);
    item?.nack();
    const [again] = await take(subscription, 1);
    expect(again).toMatchObject({ value: 'x', redelivered: true, recordId: item?.recordId });
  });

  it('may be told any number of milliseconds until then, and nothing else', async () => {
    await box.publish('back', 'x');
    const subscription = subscribe('back', { from: 'start', ack: 'manual' });
    for (const delay of [0.5, -1, -Infinity, -0]) {
      const [item] = await take(subscription, 1);
      item?.nack({ delay });
    }
    const [item] = await take(subscription, 1);
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what a program without types gives
    for (const delay of [Number.NaN, '5', null, 5n] as unknown as number[]) expect(() => item?.nack({ delay })).toThrow(new TypeError('delay must be a number of milliseconds'));
    item?.nack({ delay: Infinity });
    await expect(box.publish('back', 'y')).resolves.toBeDefined();
    expect(await take(subscription, 1)).toMatchObject([{ value: 'y' }]);
  });

  it('hands out no more unconfirmed than inFlight', async () => {
    for (let value = 0; value < 5; value++) await box.publish('few', value);
    const subscription = subscribe('few', { from: 'start', ack: 'manual', inFlight: 2 });
    const [first] = await take(subscription, 2);
    let third: Item | undefined;
    const waiting = take(subscription, 1).then(([item]) => { third = item; return item; });
    await box.status();
    expect(third).toBeUndefined();
    first?.ack();
    expect((await waiting)?.value).toBe(2);
  });

  it('delivers thousands in order, each once', async () => {
    const subscription = subscribe('many', { from: 'start' });
    await subscription.ready;
    const all = Array.from({ length: 3000 }, (_, index) => index);
    await Promise.all(all.map((value) => box.publish('many', value)));
    expect((await take(subscription, all.length)).map((item) => item.value)).toEqual(all);
  });

  it('lets one reader of a name read at a time', async () => {
    const first = subscribe('t', { durable: 'one' });
    await first.ready;
    const second = subscribe('t', { durable: 'one' });
    await expect(second.ready).rejects.toMatchObject({ code: 'in-use' });
    await expect(second.next()).rejects.toMatchObject({ code: 'in-use' });
    await first.close();
    await subscribe('t', { durable: 'one' }).ready;
    expect(await box.subscriptions.list()).toMatchObject([{ name: 'one', filter: 't', durable: true }]);
  });

  it('ends a subscription with the reason its signal was aborted for, and by close without one', async () => {
    const stop = new AbortController();
    const aborted = subscribe('t', { signal: stop.signal });
    const step = aborted.next();
    await aborted.ready;
    stop.abort(new Error('enough'));
    await expect(step).rejects.toThrow('enough');
    const closed = subscribe('t');
    await closed.ready;
    const last = closed.next();
    await closed.close();
    await expect(last).resolves.toMatchObject({ done: true });
  });

  it('keeps topics', async () => {
    await box.topics.create('a/b', { title: 'B', maxItems: 2 });
    await expect(box.topics.create('a/b')).rejects.toMatchObject({ code: 'conflict' });
    expect(await box.topics.configure('a/b', { maxItems: 3 })).toMatchObject({ name: 'a/b', title: 'B', maxItems: 3 });
    await box.publish('a/b', 1, { id: 'x' });
    await box.publish('c', 2);
    expect((await box.topics.list()).map((topic) => topic.name).toSorted()).toEqual(['a/b', 'c']);
    expect((await box.topics.list('a/#')).map((topic) => topic.name)).toEqual(['a/b']);
    await box.retract('a/b', 'x');
    expect(await box.items('a/b')).toEqual([]);
    await box.purge('c');
    await box.topics.delete('c');
    expect(await box.topics.get('c')).toBeUndefined();
    await expect(box.topics.delete('c')).rejects.toMatchObject({ code: 'not-found' });
  });

  it('says so when no road leads to an address, and knows no state of what was never sent', async () => {
    await expect(box.send('link:nobody@nowhere', 'hello', { id: 'm1' })).rejects.toMatchObject({ code: 'unreachable' });
    expect(await box.messageState('never')).toBeUndefined();
    await expect(box.send('', 'x')).rejects.toMatchObject({ name: 'LanpostError' });
  });

  it('says so when there is no link to call peers from', async () => {
    await expect(box.peers.add('pi.example.org')).rejects.toMatchObject({ code: 'unreachable' });
    await expect(box.peers.remove('pi.example.org')).rejects.toMatchObject({ code: 'unreachable' });
  });

  it('has lists, and events that end when they are left', async () => {
    expect([await box.peers.list(), await box.trust.list(), await box.homes.list(), await box.subscriptions.list()]).toEqual([[], [], [], []]);
    const stop = new AbortController();
    const watching = box.peers.watch({ signal: stop.signal }).next();
    const troubled = box.troubles({ signal: stop.signal }).next();
    const homes = box.homes.watch({ signal: stop.signal }).next();
    await box.status();
    stop.abort(new Error('enough'));
    await expect(watching).rejects.toThrow('enough');
    await expect(troubled).rejects.toThrow('enough');
    await expect(homes).rejects.toThrow('enough');
  });

  it('refuses everything once it is closed', async () => {
    const subscription = subscribe('t');
    await subscription.ready;
    await box.close();
    await box.close();
    await expect(box.publish('t', 1)).rejects.toMatchObject({ code: 'closed' });
    await expect(box.status()).rejects.toMatchObject({ code: 'closed' });
    await expect((async () => box.subscribe('t').next())()).rejects.toMatchObject({ code: 'closed' });
  });
});

describe('an attached box', () => {
  it('is cut off when the box closes: all that is waited for fails as disconnected', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'lanpost-box-'));
    const owner = await createBox({ dir, link: false });
    const box = await attachBox({ dir });
    const subscription = box.subscribe('t', { durable: 'd' });
    await subscription.ready;
    await owner.publish('t', 1);
    expect((await take(subscription, 1)).map((item) => item.value)).toEqual([1]);
    const step = subscription.next();
    await Promise.all([expect(step).rejects.toMatchObject({ code: 'disconnected' }), owner.close()]);
    await expect(box.publish('t', 2)).rejects.toMatchObject({ code: 'disconnected' });
    await box.close();
    await expect(attachBox({ dir })).rejects.toMatchObject({ code: 'not-found' });
    await rm(dir, { recursive: true, force: true });
  });
});
