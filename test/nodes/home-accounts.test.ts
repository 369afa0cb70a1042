import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { homeOptions } from '../../nodes/shared/home-accounts.ts';
import { createBox, type Box } from '../../src/index.ts';
import { startFakeHome, type FakeHome } from '../home/fake-home.ts';
import { Bell } from '../support/bell.ts';
import { useEmbeddingBox } from './embedding-box.ts';
import { type FlowNode, useFlows } from './flow-kit.ts';

const { flows, dir, load } = useFlows();
const openBox = useEmbeddingBox(flows);
const opened: { close(): Promise<void> }[] = [];
afterEach(async () => {
  await flows.unload();
  for (const one of opened.splice(0)) await one.close();
});
const credentials = { box: { password0: 'secret', password1: 'secret' } };
const LAST = 'last@home.invalid';

async function startHome(): Promise<FakeHome> {
  const home = await startFakeHome(new Bell());
  opened.push(home);
  return home;
}

/** What the node has warned of. */
function warningsOf(node: FlowNode): unknown[] {
  // oxlint-disable-next-line no-underscore-dangle -- the helper's own name
  const { thisValues, args } = flows._NodePrototype.warn;
  return args.filter((_, at) => thisValues[at] === node).map(([text]) => text);
}

/** The account at that home, and behind it one at none: when the box has heard of that, it has heard of all. */
const flow = (mode: object, { account: { jid, port, ca } }: FakeHome, last: string, first: object = {}): object[] => [
  { id: 'f', type: 'tab', label: 'test' },
  { id: 'box', type: 'lanpost box', ...mode, homes: [{ slot: 0, jid, host: `127.0.0.1:${port}`, ca, topics: 'up/#', ...first }, { slot: 1, jid: LAST, host: '127.0.0.1:1', topics: last }] },
];
async function heard(box: Box, last: string): Promise<void> {
  await expect.poll(async () => (await box.homes.list()).find(({ jid }) => jid === LAST)?.topics, { timeout: 20_000 }).toEqual([last]);
}

async function online(box: Box, jid: string): Promise<void> {
  await expect.poll(async () => (await box.homes.list()).find((one) => one.jid === jid)?.state, { timeout: 20_000 }).toBe('online');
}

describe('a home account whose flow is started or deployed again', () => {
  it('keeps its session in the box of the editor', async () => {
    const [box, home] = [await openBox(), await startHome()];
    for (const start of ['one', 'two']) {
      await load(flow({ mode: 'auto' }, home, start), { lanpost: { box } }, [], credentials);
      await heard(box, start);
      await online(box, home.account.jid);
      if (start === 'one') await flows.unload();
    }
    expect([home.sessions, home.resumed, home.logins]).toEqual([1, 0, 1]);
  });

  it('keeps its session in a box that runs elsewhere', async () => {
    await load([{ id: 'f', type: 'tab', label: 'test' }]);
    const box = await createBox({ dir: join(dir(), 'running'), link: false });
    opened.push(box);
    const home = await startHome();
    await flows.unload();
    const attached = { mode: 'attach', dir: 'running' };
    await load(flow(attached, home, 'one'), {}, [], credentials);
    await heard(box, 'one');
    await online(box, home.account.jid);
    const [before] = await box.homes.list();
    for (const last of ['two', 'three']) {
      await flows.setFlows(flow(attached, home, last));
      await heard(box, last);
    }
    expect([home.sessions, home.resumed, home.logins]).toEqual([1, 0, 1]);
    expect((await box.homes.list()).find(({ jid }) => jid === home.account.jid)).toMatchObject({ state: 'online', since: before?.since });
  });

  it('is what the last deployment says, also where the one before is not through', async () => {
    const [box, home] = [await openBox(), await startHome()];
    // Between box and home: from some moment on the box hears nothing more.
    const road = createServer({ allowHalfOpen: true });
    const taken = new Promise<readonly [near: Socket, far: Socket]>((resolve) => {
      road.on('connection', (here) => {
        const there = connect(home.account.port, '127.0.0.1');
        for (const one of [here, there]) one.on('error', () => undefined);
        here.pipe(there).pipe(here);
        resolve([here, there]);
      });
    });
    road.listen(0, '127.0.0.1');
    await once(road, 'listening');
    opened.push({ close: async () => { road.close(); } });
    const at = { host: `127.0.0.1:${(road.address() as AddressInfo).port}` };
    await load(flow({ mode: 'auto' }, home, 'one', at), { lanpost: { box } }, [], credentials);
    await heard(box, 'one');
    await online(box, home.account.jid);
    const [near, far] = await taken;
    far.unpipe(near);
    const goodbye = once(near, 'data');
    await flows.setFlows(flow({ mode: 'auto' }, home, 'two', { ...at, topics: 'more/#' }));
    // The box leaves the session, and waits for its end.
    await goodbye;
    await flows.setFlows([{ id: 'f', type: 'tab', label: 'test' }, { id: 'box', type: 'lanpost box', mode: 'auto', homes: [{ slot: 1, jid: LAST, host: '127.0.0.1:1', topics: 'three' }] }]);
    await heard(box, 'three');
    near.destroy();
    // One change at a time: what was said before this is done.
    await box.homes.pause(LAST);
    expect((await box.homes.list()).find(({ jid }) => jid === LAST)?.topics).toEqual(['three']);
  });
});

describe('the password of a home account', () => {
  afterEach(() => { delete process.env['LANPOST_TEST_PASSWORD']; });

  it.each([
    ['that is a name and nothing else is what the name stands for', '${LANPOST_TEST_PASSWORD}', 'secret'],
    ['that has what reads as a name in it is taken as it is', 'a${LANPOST_TEST_PASSWORD}b', 'a${LANPOST_TEST_PASSWORD}b'],
    ['that is a name of nothing is taken as it is', '${LANPOST_TEST_NOTHING}', '${LANPOST_TEST_NOTHING}'],
  ])('%s', async (_title, saved, real) => {
    process.env['LANPOST_TEST_PASSWORD'] = 'secret';
    const [box, home] = [await openBox(), await startHome()];
    home.set.password = real;
    await load(flow({ mode: 'auto' }, home, 'one'), { lanpost: { box } }, [], { box: { password0: saved, password1: 'secret' } });
    await online(box, home.account.jid);
    expect(warningsOf(flows.getNode('box'))).toEqual([]);
  });

  it('may be a number, where the name stands for one', async () => {
    expect(await homeOptions({ slot: 0, jid: 'me@home.invalid' }, { password0: 1234 })).toMatchObject({ password: '1234' });
  });
});

describe('a home account whose row is taken away', () => {
  const at = (path: string): string => `/lanpost/boxes/box/${path}`;
  const box = (homes: object[], more: object[] = []): object[] => [{ id: 'f', type: 'tab', label: 'test' }, { id: 'box', type: 'lanpost box', mode: 'auto', homes }, ...more];
  const rows = [{ slot: 0, jid: 'Me@home.invalid', host: '127.0.0.1:1', topics: 'up/#' }, { slot: 1, jid: LAST, host: '127.0.0.1:1', topics: 'one' }];
  const ask = (method: 'get' | 'delete', path: string): Promise<unknown> => flows.request()[method](at(path));

  it('stays in the box, which is said with what waits, and is removed when its owner says so', async () => {
    const running = await openBox();
    await load(box(rows), { lanpost: { box: running } }, [], credentials);
    await heard(running, 'one');
    for (const n of [1, 2]) await running.publish('up/a', n);
    expect(await ask('get', 'homes')).toMatchObject({ status: 200, body: { homes: [{ jid: 'me@home.invalid', left: 2, deployed: true, grouped: false }, { jid: LAST, deployed: true }] } });
    expect(await ask('delete', 'homes/me@home.invalid')).toMatchObject({ status: 409, body: { reason: 'a node that is deployed has this account' } });
    await flows.setFlows(box(rows.slice(1)));
    await expect.poll(() => warningsOf(flows.getNode('box'))).toEqual([expect.stringMatching(/^the home account me@home.invalid stays in the box, .*; 2 records wait for it, about \d+ bytes: remove it/)]);
    expect(await ask('get', 'homes')).toMatchObject({ body: { homes: [{ jid: 'me@home.invalid', state: expect.any(String), left: 2, leftBytes: expect.any(Number), oldest: expect.stringMatching(/ s$/), deployed: false }, { deployed: true }] } });
    expect(await ask('delete', 'homes/me@home.invalid')).toMatchObject({ status: 200 });
    expect((await running.homes.list()).map(({ jid }) => jid)).toEqual([LAST]);
    expect(await ask('delete', 'homes/me@home.invalid')).toMatchObject({ status: 404, body: { reason: 'there is no such home account' } });
  });

  it('with what it has not got yet, and not with what it has and the box still remembers', async () => {
    const [running, home] = [await openBox(), await startHome()];
    const { jid } = home.account;
    await load(flow({ mode: 'auto' }, home, 'one'), { lanpost: { box: running } }, [], credentials);
    await online(running, jid);
    await heard(running, 'one');
    await running.publish('up/a', 1);
    const waits = async (): Promise<unknown> => (await running.homes.list()).filter((one) => one.jid === jid).map(({ queued, left }) => ({ queued, left }));
    await expect.poll(waits, { timeout: 20_000 }).toEqual([{ queued: 1 }]);
    expect(await ask('get', 'homes')).toMatchObject({ body: { homes: expect.arrayContaining([expect.objectContaining({ jid, left: 0 })]) } });
    await flows.setFlows(box(rows.slice(1)));
    await expect.poll(() => warningsOf(flows.getNode('box'))).toEqual([expect.stringContaining('; nothing waits for it: remove it')]);
  });

  it('with the bytes of what it has not got yet alone', async () => {
    const [running, home] = [await openBox(), await startHome()];
    const { jid } = home.account;
    await load(flow({ mode: 'auto' }, home, 'one'), { lanpost: { box: running } }, [], credentials);
    await online(running, jid);
    await heard(running, 'one');
    const waits = async (): Promise<{ readonly queued?: number; readonly left?: number; readonly queuedBytes?: number }> => {
      const { queued, left, queuedBytes } = (await running.homes.list()).find((one) => one.jid === jid) ?? {};
      return { ...(queued === undefined ? {} : { queued }), ...(left === undefined ? {} : { left }), ...(queuedBytes === undefined ? {} : { queuedBytes }) };
    };
    for (const n of [1, 2, 3]) await running.publish('up/a', n);
    await expect.poll(waits, { timeout: 20_000 }).toEqual({ queued: 3, queuedBytes: expect.any(Number) });
    await running.homes.pause(jid);
    await running.publish('up/a', 4);
    const { queuedBytes = 0, ...counted } = await waits();
    expect(counted).toEqual({ queued: 4, left: 1 });
    expect(await ask('get', 'homes')).toMatchObject({ body: { homes: expect.arrayContaining([expect.objectContaining({ jid, left: 1, leftBytes: Math.round(queuedBytes / 4) })]) } });
  });

  it('also when its node is deleted whole, with a box that goes on', async () => {
    const running = await openBox();
    await load(box(rows), { lanpost: { box: running } }, [], structuredClone(credentials)); // Node-RED forgets those of a node that is gone
    await heard(running, 'one');
    const node = flows.getNode('box');
    await flows.setFlows([{ id: 'f', type: 'tab', label: 'test' }]);
    expect(warningsOf(node)).toEqual(rows.map(() => expect.stringMatching(/ stays in the box, .*; nothing waits for it: remove it/)));
  });

  it('and that another node has, for the same box, is that node\'s', async () => {
    const running = await openBox();
    await load(box(rows), { lanpost: { box: running } }, [], credentials);
    await heard(running, 'one');
    await flows.setFlows(box([{ ...rows[1], topics: 'two' }], [{ id: 'beside', type: 'lanpost box', mode: 'auto', homes: [rows[0]] }]));
    await heard(running, 'two');
    expect(await ask('get', 'homes')).toMatchObject({ body: { homes: [{ jid: 'me@home.invalid', deployed: true }, { jid: LAST, deployed: true }] } });
    expect(warningsOf(flows.getNode('box'))).toEqual([]);
  });
});
