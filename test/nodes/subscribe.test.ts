import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { LanpostError, type Box } from '../../src/index.ts';
import { useEmbeddingBox } from './embedding-box.ts';
import { collect, saidBy, shownBy, useFlows } from './flow-kit.ts';

const { flows, load } = useFlows();
const openBox = useEmbeddingBox(flows);
const tab = { id: 'f', type: 'tab', label: 'test' };
const config = { id: 'box', type: 'lanpost box', mode: 'auto', dir: '', boxName: '', link: true };
const helper = (id: string): object => ({ id, type: 'helper', z: 'f' });
const subscribe = (fields: object): object => ({
  id: 'sub', type: 'lanpost subscribe', configVersion: 2, box: 'box', filter: '#', from: 'new', durable: false, reader: '', changes: false, z: 'f', wires: [['out']], ...fields,
});
const caught = [{ id: 'on error', type: 'catch', scope: null, z: 'f', wires: [['caught']] }, helper('caught')];
const flow = (fields: object, ...more: readonly object[]): object[] => [tab, config, subscribe(fields), helper('out'), ...caught, ...more];
const payloads = async (came: ReturnType<typeof collect>, count: number): Promise<unknown[]> => {
  const all: unknown[] = [];
  while (all.length < count) all.push((await came.next()).payload);
  return all;
};
const status = (id: string, wanted: RegExp): Promise<string> => saidBy(flows, id, wanted);
const waiting = async (box: Box, name: string): Promise<number | undefined> => (await box.subscriptions.list()).find((one) => one.name === name)?.pending;

describe('where it begins', () => {
  it('with the last values of topics that keep only the newest, at each deployment, before what comes', async () => {
    const box = await openBox();
    await box.topics.create('state', { lane: 'latest', key: '/lamp' });
    await box.publish('state', { lamp: 'a', on: 1 });
    await box.publish('state', { lamp: 'b', on: 1 });
    await box.publish('state', { lamp: 'a', on: 2 });
    await box.publish('history', 'not this');
    for (let round = 0; round < 2; round++) {
      await (round === 0 ? load(flow({}), { lanpost: { box } }) : flows.setFlows(flow({})));
      const came = collect(flows.getNode('out'));
      expect([await came.next(), await came.next()]).toMatchObject([{ payload: { lamp: 'b', on: 1 }, retained: true }, { payload: { lamp: 'a', on: 2 }, retained: true }]);
      expect(came.all[0]?.lanpost).toEqual({ topic: 'state', id: expect.any(String), contentType: 'application/json', recordId: expect.any(String), retained: true });
      await box.publish('state', { lamp: 'b', on: round + 2 });
      expect(await came.next()).toMatchObject({ payload: { lamp: 'b', on: round + 2 }, retained: false });
      await box.publish('state', { lamp: 'b', on: 1 });
      await came.next();
      await box.publish('state', { lamp: 'a', on: 2 });
      await came.next();
    }
  });

  it('a durable reader gets the last values that it had, and what waits for it once', async () => {
    const box = await openBox();
    const durable = { durable: true, last: 'all' };
    await load(flow(durable), { lanpost: { box } });
    const came = collect(flows.getNode('out'));
    await status('sub', /^received 0/);
    await box.publish('had', 1);
    expect(await came.next()).toMatchObject({ payload: 1, retained: false });
    await nextTurn();
    await flows.setFlows([tab, config, ...caught]);
    await box.publish('new', 2);
    await flows.setFlows(flow(durable));
    const again = collect(flows.getNode('out'));
    expect([await again.next(), await again.next()]).toMatchObject([{ payload: 1, retained: true }, { payload: 2, retained: false, lanpost: { redelivered: false } }]);
  });

  it('a last value that could not be read is told, and comes when it can; a topic that keeps none to ask for is passed over', async () => {
    const box = await openBox();
    await box.topics.create('heard', { lane: 'latest' });
    await box.publish('heard', 'not to be asked for');
    await box.topics.configure('heard', { persist: false });
    await box.topics.create('state', { lane: 'latest' });
    await box.publish('state', 'on');
    const items = box.items.bind(box);
    let refusals = 1;
    box.items = async (topic, options) => {
      if (topic === 'state' && refusals-- > 0) throw new LanpostError('corrupt');
      return items(topic, options);
    };
    await load(flow({}), { lanpost: { box } });
    const came = collect(flows.getNode('out'));
    expect(await status('sub', /^corrupt/)).toBe('corrupt: Stored data is damaged.');
    expect(await came.next()).toMatchObject({ topic: 'state', payload: 'on', retained: true });
    await expect(status('sub', /^received 1$/)).resolves.toBe('received 1');
  });

  it('at a time and at a position', async () => {
    const box = await openBox();
    const { seq } = await box.publish('a', 1);
    await box.publish('a', 2);
    await load(flow({ from: 'seq', fromValue: String(seq + 1) }), { lanpost: { box } });
    expect((await collect(flows.getNode('out')).next()).payload).toBe(2);
    await flows.setFlows(flow({ from: 'time', fromValue: '2020-01-01T00:00:00Z' }));
    expect(await payloads(collect(flows.getNode('out')), 2)).toEqual([1, 2]);
    await flows.setFlows(flow({ from: 'time', fromValue: '' }));
    expect(await status('sub', /begin at a time/)).toBeTruthy();
  });

  it('a flow of before goes on as it did: nothing but what is new, as fast as it comes', async () => {
    const box = await openBox();
    await box.topics.create('state', { lane: 'latest' });
    await box.publish('state', 'old');
    const { configVersion: _, ...old } = subscribe({}) as { configVersion: number };
    await load([tab, config, old, helper('out')], { lanpost: { box } });
    const came = collect(flows.getNode('out'));
    await status('sub', /^received/);
    await box.publish('state', 'new');
    expect((await came.next()).payload).toBe('new');
  });
});

describe('what the payload is', () => {
  it.each([
    ['json', '{"a":1}', undefined, { a: 1 }],
    ['json', { a: 1 }, undefined, { a: 1 }],
    ['text', { a: 1 }, undefined, '{"a":1}'],
    ['text', Buffer.from('ä'), undefined, 'ä'],
    ['text', 0, undefined, '0'],
    ['buffer', 'ä', undefined, Buffer.from('ä')],
    ['buffer', false, undefined, Buffer.from('false')],
    ['xml', '<a/>', 'application/xml', '<a/>'],
    ['auto', null, undefined, null],
  ])('as %s, %j', async (form, value, contentType, payload) => {
    const box = await openBox();
    await box.publish('a', value, contentType === undefined ? {} : { contentType });
    await load(flow({ form, from: 'start' }), { lanpost: { box } });
    expect((await collect(flows.getNode('out')).next()).payload).toEqual(payload);
  });

  it('an item that is not of that form goes to Catch, and the next one comes', async () => {
    const box = await openBox();
    await load(flow({ form: 'json', durable: true, ack: 'manual' }), { lanpost: { box } });
    await status('sub', /^received/);
    const [came, wrong] = [collect(flows.getNode('out')), collect(flows.getNode('caught'))];
    await box.publish('a', 'no json');
    await box.publish('a', '1');
    expect(await wrong.next()).toMatchObject({ payload: 'no json', error: { message: expect.stringContaining('not JSON') } });
    expect((await came.next()).payload).toBe(1);
    expect(await waiting(box, 'sub')).toBe(1);
  });

  it('what is wrong with it is in the status, until one comes that is of that form', async () => {
    const box = await openBox();
    await load(flow({ form: 'json' }), { lanpost: { box } });
    await status('sub', /^received 0$/);
    await box.publish('a', 'no json');
    expect(await shownBy(flows, 'sub', /^received 0 · a: not JSON: /)).toBe('red');
    await box.publish('a', '1');
    expect(await shownBy(flows, 'sub', /^received 1$/)).toBe('green');
  });
});

it('what was lost makes the status yellow', async () => {
  const box = await openBox();
  const reader = box.subscribe('a', { durable: 'sub', from: 'start', maxBacklog: { records: 1 } });
  await reader.ready;
  await reader.close();
  for (const value of [1, 2, 3]) await box.publish('a', value);
  await expect.poll(async () => (await box.items('$ledger')).length).toBe(1);
  await load(flow({ filter: 'a', durable: true }), { lanpost: { box } });
  expect(await shownBy(flows, 'sub', /^received 1, \d lost/)).toBe('yellow');
});

describe('how fast', () => {
  it('what was there before comes at the rate that is set, what comes now at once', async () => {
    const box = await openBox();
    for (let n = 0; n < 60; n++) await box.publish('a', n);
    await load(flow({ from: 'start', rate: '100' }), { lanpost: { box } });
    const came = collect(flows.getNode('out'));
    await came.next();
    const began = performance.now();
    await payloads(came, 59);
    expect(performance.now() - began).toBeGreaterThan(450);
    const live = performance.now();
    await Promise.all(Array.from({ length: 1000 }, (_, n) => box.publish('a', n)));
    await payloads(came, 1000);
    expect(performance.now() - live).toBeLessThan(9000); // ten seconds at the rate
  });

  it('a flow that does not confirm stops it at the bound, and the status says so', async () => {
    const box = await openBox();
    for (let n = 0; n < 10; n++) await box.publish('a', n);
    await load(flow({ from: 'start', durable: true, ack: 'manual', inFlight: '4' }), { lanpost: { box } });
    expect(await status('sub', /unacked, waiting/)).toMatch(/^4 unacked, waiting, 10 queued/);
    expect(collect(flows.getNode('out')).all).toEqual([]);
    expect((await box.subscriptions.list())[0]).toMatchObject({ unconfirmed: 4 });
  });
});

describe('what messages tell it', () => {
  it('subscribe, getSubscriptions and unsubscribe, as mqtt in has them', async () => {
    const box = await openBox();
    await load(flow({ filter: '', inputs: 1, durable: true }), { lanpost: { box } });
    const came = collect(flows.getNode('out'));
    const node = flows.getNode('sub');
    await status('sub', /reads nothing/);
    node.receive({ action: 'subscribe', topic: ['a/+', { topic: 'b', durable: false }] });
    node.receive({ action: 'getSubscriptions', mine: 1 });
    expect(await came.next()).toMatchObject({ topic: 'subscriptions', mine: 1, payload: [{ topic: 'a/+', durable: true, reader: 'sub:a/+' }, { topic: 'b', durable: false }] });
    await status('sub', /^received 0/);
    await box.publish('a/x', 1);
    await box.publish('b', 2);
    expect(await payloads(came, 2)).toEqual([1, 2]);
    expect(await waiting(box, 'sub:a/+')).toBe(0);
    node.receive({ action: 'unsubscribe', topic: true });
    await status('sub', /reads nothing/);
    expect(await box.subscriptions.list()).toEqual([]);
  });

  it('a filter that it can never read goes to Catch with its message, and is not kept; what was told is done when it is read', async () => {
    const box = await openBox();
    await load(flow({ filter: '', inputs: 1, durable: true }, { id: 'on done', type: 'complete', scope: ['sub'], z: 'f', wires: [['completed']] }, helper('completed')), { lanpost: { box } });
    const [came, wrong, completed] = [collect(flows.getNode('out')), collect(flows.getNode('caught')), collect(flows.getNode('completed'))];
    await status('sub', /reads nothing/);
    const node = flows.getNode('sub');
    node.receive({ action: 'subscribe', topic: ['good', 'a/#/b'], mine: 1 });
    expect(await wrong.next()).toMatchObject({ mine: 1, error: { message: expect.stringContaining('a/#/b') } });
    node.receive({ action: 'subscribe', topic: 'better' });
    expect(await completed.next()).toMatchObject({ topic: 'better' });
    expect((await box.subscriptions.list()).map(({ name, readers }) => [name, readers])).toEqual([['sub:good', 1], ['sub:better', 1]]);
    node.receive({ action: 'getSubscriptions' });
    expect((await came.next()).payload).toMatchObject([{ topic: 'good' }, { topic: 'better' }]);
    await status('sub', /^received 0/);
  });

  it('what it is told while it is paused is done at once, and read when it goes on', async () => {
    const box = await openBox();
    await load(flow({ filter: '', inputs: 1 }, { id: 'on done', type: 'complete', scope: ['sub'], z: 'f', wires: [['completed']] }, helper('completed')), { lanpost: { box } });
    const completed = collect(flows.getNode('completed'));
    await status('sub', /reads nothing/);
    for (const msg of [{ action: 'pause' }, { action: 'subscribe', topic: 'a' }, { action: 'resume' }]) {
      flows.getNode('sub').receive(msg);
      expect(await completed.next()).toMatchObject(msg);
    }
    await status('sub', /^received 0/);
  });

  it('pause and resume: nothing comes, nothing is lost, and the status says it', async () => {
    const box = await openBox();
    await load(flow({}), { lanpost: { box } });
    const came = collect(flows.getNode('out'));
    await status('sub', /^received 0/);
    flows.getNode('sub').receive({ action: 'pause' });
    await status('sub', /^paused/);
    await box.publish('a', 1);
    await nextTurn();
    expect(came.all).toEqual([]);
    flows.getNode('sub').receive({ action: 'resume' });
    expect((await came.next()).payload).toBe(1);
  });

  it('disconnect leaves what it reads, with its place; connect reads on, all that came meanwhile and what it was told meanwhile', async () => {
    const box = await openBox();
    const node = { id: 'on done', type: 'complete', scope: ['sub'], z: 'f', wires: [['completed']] };
    await load(flow({ filter: 'a', durable: true, inputs: 1 }, node, helper('completed')), { lanpost: { box } });
    const [came, completed] = [collect(flows.getNode('out')), collect(flows.getNode('completed'))];
    const tell = async (msg: object): Promise<void> => {
      flows.getNode('sub').receive(msg);
      expect(await completed.next()).toMatchObject(msg);
    };
    await status('sub', /^received 0/);
    await box.publish('a', 1);
    expect((await came.next()).payload).toBe(1);
    await tell({ action: 'subscribe', topic: { topic: 'b', durable: false } });
    for (const again of ['', 'again']) await tell({ action: 'disconnect', again });
    await status('sub', /^disconnected$/);
    expect((await box.subscriptions.list()).map(({ name, readers, pending }) => ({ name, readers, pending }))).toEqual([{ name: 'sub', readers: 0, pending: 0 }]);
    for (const value of [2, 3]) await box.publish('a', value);
    await box.publish('b', 'nobody reads it');
    await tell({ action: 'subscribe', topic: ['c', 'd'] });
    await tell({ action: 'unsubscribe', topic: 'd' });
    await tell({ action: 'getSubscriptions' });
    expect(await came.next()).toMatchObject({ payload: [{ topic: 'a', durable: true }, { topic: 'b', durable: false }, { topic: 'c', durable: true }] });
    expect(await waiting(box, 'sub')).toBe(2);
    expect(came.all).toHaveLength(2);
    await tell({ action: 'connect' });
    expect(await payloads(came, 2)).toEqual([2, 3]);
    await status('sub', /^received 2/);
    for (const topic of ['b', 'c', 'd']) await box.publish(topic, topic);
    expect(await payloads(came, 2)).toEqual(['b', 'c']);
    await tell({ action: 'connect' });
    expect((await box.subscriptions.list()).filter(({ durable }) => durable).map(({ name, readers }) => [name, readers])).toEqual([['sub', 1], ['sub:c', 1]]);
  });

  it('what the flow has been handed when it pauses comes once', async () => {
    const box = await openBox();
    for (let n = 0; n < 20; n++) await box.publish('a', n);
    await load(flow({ filter: 'a', from: 'start', durable: true }), { lanpost: { box } });
    const came = collect(flows.getNode('out'));
    flows.getNode('out').once('input', () => flows.getNode('sub').receive({ action: 'pause' }));
    await status('sub', /^paused/);
    await expect.poll(async () => (await box.subscriptions.list())[0]?.readers).toBe(0);
    flows.getNode('sub').receive({ action: 'resume' });
    await box.publish('a', 'last');
    const all = [];
    do all.push((await came.next()).payload); while (all.at(-1) !== 'last');
    expect(all).toEqual([...Array(20).keys(), 'last']);
  });

  it('nothing begins that it is told while it closes: nobody would end it, and what it read would be lost', async () => {
    const box = await openBox();
    await load(flow({ filter: 'own', durable: true }), { lanpost: { box } });
    await status('sub', /^received 0/);
    const node = flows.getNode('sub');
    node.receive({ action: 'subscribe', topic: ['a', 'b'] });
    await status('sub', /^received 0/);
    for (let n = 0; n < 5; n++) node.receive({ action: 'subscribe', topic: ['a', 'b', `c${n}`] });
    await nextTurn();
    await flows.setFlows([tab, config, ...caught], 'nodes');
    // Whatever was begun has its reader by now.
    await box.status();
    await nextTurn();
    expect((await box.subscriptions.list()).filter(({ readers }) => readers > 0)).toEqual([]);
  });

  it.each([[{ action: 'fly' }, 'one of'], [{ action: 'connect', broker: { url: 'mqtt://other' } }, 'msg.broker'], [{ action: 'subscribe' }, 'msg.topic'], [{ action: 'subscribe', topic: [5] }, 'msg.topic']])('%j goes to Catch', async (msg, words) => {
    const box = await openBox();
    await load(flow({}), { lanpost: { box } });
    const wrong = collect(flows.getNode('caught'));
    flows.getNode('sub').receive(msg);
    expect((await wrong.next()).error).toMatchObject({ message: expect.stringContaining(words) });
  });
});
