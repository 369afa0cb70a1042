// Nodes that work at another box, over a real link: what they publish there, and what they read there.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { attachBox, type Box } from '../../src/index.ts';
import { type BoxProcess, startBox } from '../support/box.ts';
import { eventually } from '../support/eventually.ts';
import { readJsonLines } from '../support/json-lines.ts';
import { createLan, type Lan } from '../support/lan.ts';
import { needs } from '../support/needs.ts';
import { ROOT } from '../support/root.ts';

const SOON = { timeout: 40_000 } as const;
const node = (id: string, type: string, wires: readonly (readonly string[])[], more: object = {}): object => ({ id, type, z: 'tab', box: 'box', wires, ...more });
const publish = (id: string, topic: string, more: object = {}): object => node(id, 'lanpost publish', [], { configVersion: 3, prefer: 'node', topic, itemId: '', form: 'auto', contentType: '', expires: '', at: '', ...more });
const subscribe = (id: string, filter: string, to: string, more: object = {}): object =>
  node(id, 'lanpost subscribe', [[to]], { configVersion: 2, filter, at: '', from: 'start', last: 'none', durable: 'true', reader: '', ack: 'auto', inFlight: '64', ackWait: '', rate: '0', rateOf: 'all', form: 'auto', changes: 'false', inputs: 0, ...more });

/** What is published here in `do/publish` goes to the other box; its `news/#` comes here, and into `flow/came`. */
const FLOW: readonly object[] = [
  { id: 'tab', type: 'tab', label: 'at another box', env: [{ name: 'OTHER', type: 'str', value: 'B@h2' }] },
  { id: 'box', type: 'lanpost box', mode: 'auto', dir: '', boxName: '', link: true },
  subscribe('told', 'do/publish', 'there'), publish('there', 'from/a', { at: 'link:${OTHER}' }),
  node('completed', 'complete', [['done']], { scope: ['there'] }), publish('done', 'flow/done'),
  node('caught', 'catch', [['code']], { scope: ['there'] }), node('code', 'function', [['failed']], { func: 'return { payload: msg.error.code };', outputs: 1 }), publish('failed', 'flow/failed'),
  subscribe('news', 'news/#', 'came', { at: 'link:${OTHER}', ack: 'manual' }), publish('came', 'flow/came'),
  subscribe('last values', 'state/#', 'mark', { at: 'link:${OTHER}', durable: 'false', from: 'new', last: 'all' }),
  node('mark', 'function', [['lasts']], { func: 'return { payload: [msg.payload, msg.retained] };', outputs: 1 }), publish('lasts', 'flow/last'),
  subscribe('at a pace', 'bulk', 'paced', { at: 'link:${OTHER}', rate: '50', rateOf: 'backlog' }), publish('paced', 'flow/paced'),
  node('said', 'status', [['state']], { scope: ['news'] }), node('state', 'function', [['states']], { func: 'return { payload: msg.status.text };', outputs: 1 }), publish('states', 'flow/state'),
  node('kept', 'complete', [['confirm']], { scope: ['came'] }), node('confirm', 'lanpost ack', [[]], { action: 'ack', delay: '' }),
];

describe.skipIf(!needs('root'))('nodes of a flow that work at another box', () => {
  let folder: string, lan: Lan, b: BoxProcess, boxA: Box, boxB: Box, editor: ReturnType<typeof lan.exec>;

  const startB = async (name = 'B'): Promise<void> => {
    b = await startBox({ dir: join(folder, 'b'), name, lan, host: 2 });
    boxB = await b.attach();
  };
  const values = async (topic: string): Promise<unknown[]> => (await boxA.items(topic, { from: 'start', limit: 1000 }).catch(() => [])).map((one) => (one.kind === 'item' ? one.value : one.kind));
  const says = (words: RegExp): Promise<void> => eventually(async () => {
    const [last] = await boxA.items('flow/state', { last: 1 }).catch(() => []);
    return last?.kind === 'item' && typeof last.value === 'string' && words.test(last.value);
  }, { within: 60_000 });
  const seen = (name: string): Promise<void> => eventually(async () => (await boxA.peers.list()).some((peer) => peer.name === name));

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'lanpost-at-'));
    lan = await createLan(2);
    mkdirSync(join(folder, 'a/node-red'), { recursive: true, mode: 0o700 });
    writeFileSync(join(folder, 'a/node-red/flows.json'), JSON.stringify(FLOW));
    editor = lan.exec(1, process.execPath, [join(ROOT, 'dist/src/cli/main.js'), 'start', '--name', 'A', '--editor-port', '0', '--json', '--dir', join(folder, 'a')]);
    await readJsonLines<{ readonly event: string }>(editor, 'lanpost start').wait(({ event }) => event === 'ready', { timeout: 60_000 });
    boxA = await attachBox({ dir: join(folder, 'a') });
    await startB();
    await seen('B@h2');
  });
  afterAll(async () => {
    await Promise.all([boxA?.close(), boxB?.close()]);
    await b?.stop();
    await lan?.down();
    rmSync(folder, { recursive: true, force: true });
  });

  it('what the other box does not allow goes to Catch, with its code', async () => {
    await boxA.publish('do/publish', 'not allowed');
    await expect.poll(() => values('flow/failed'), SOON).toEqual(['forbidden']);
    expect(await values('flow/done')).toEqual([]);
  });

  it('what it allows is there when the node is done, under its id', async () => {
    await boxB.trust.allow('A@h1', 'write', 'from/#');
    await boxB.trust.allow('A@h1', 'read', 'news/#');
    await boxA.publish('do/publish', { warm: true }, { id: 'first' });
    await expect.poll(() => values('flow/done'), SOON).toEqual([{ warm: true }]);
    expect(await boxB.items('from/a', { last: 10 })).toMatchObject([{ id: 'first', value: { warm: true }, publisher: 'link:A@h1' }]);
  });

  it('the last values there come first, and what comes then once; a backlog there comes at the pace that is set', async () => {
    await boxB.topics.create('state/lamps', { lane: 'latest', key: '/lamp' });
    for (const [lamp, on] of [['a', 0], ['b', 0], ['a', 1]] as const) await boxB.publish('state/lamps', { lamp, on });
    await boxB.publish('state/plain', 1);
    await boxB.publish('state/plain', 2);
    for (let n = 0; n < 150; n++) await boxB.publish('bulk', n);
    await boxB.trust.allow('A@h1', 'read', 'state/#');
    await boxB.trust.allow('A@h1', 'read', 'bulk');
    // A node that was refused tries again after 30 s at the latest.
    await expect.poll(() => values('flow/last'), { timeout: 60_000 }).toHaveLength(3);
    expect(await values('flow/last')).toEqual(expect.arrayContaining([[{ lamp: 'b', on: 0 }, true], [{ lamp: 'a', on: 1 }, true], [2, true]]));
    await boxB.publish('state/plain', 3);
    await boxB.publish('state/lamps', { lamp: 'b', on: 1 });
    await expect.poll(async () => (await values('flow/last')).slice(3), SOON).toEqual([[3, false], [{ lamp: 'b', on: 1 }, false]]);
    await expect.poll(async () => (await values('flow/paced')).length, { timeout: 60_000 }).toBe(150);
    const came = await boxA.items('flow/paced', { from: 'start', limit: 1000 });
    // 150 at 50 a second; what may be ahead of its time is less than a second's.
    expect((came.at(-1)?.time ?? 0) - (came[0]?.time ?? 0)).toBeGreaterThan(2000);
  }, 240_000);

  it('what is published there comes into the flow, each once, also what was while the road was cut and while it was stopped', async () => {
    const all = Array.from({ length: 60 }, (_, n) => n);
    const tell = async (from: number, to: number): Promise<void> => { for (const n of all.slice(from, to)) await boxB.publish(`news/${n % 3}`, n, { id: `news ${n}` }); };
    await tell(0, 20);
    await expect.poll(async () => (await values('flow/came')).length, SOON).toBe(20);
    await lan.silentCut(1);
    await tell(20, 40);
    await boxB.close();
    await b.stop();
    await lan.restore(1);
    await startB();
    await tell(40, 60);
    await expect.poll(async () => (await values('flow/came')).length, { timeout: 90_000 }).toBe(60);
    expect((await values('flow/came')).toSorted((one, other) => Number(one) - Number(other))).toEqual(all);
    // All of it is confirmed.
    await expect.poll(async () => (await boxA.subscriptions.list()).flatMap(({ source, durable, pending }) => (durable && source?.peer === 'B@h2' ? [pending] : [])), SOON).toEqual([0, 0]);
  }, 240_000);

  it('one who is not there is said to be, and the flow goes on when it is back', async () => {
    await boxB.close();
    await b.stop();
    await eventually(async () => !(await boxA.peers.list()).some((peer) => peer.name === 'B@h2'), { within: 60_000 });
    await says(/^peer not reached, received /);
    await boxA.publish('do/publish', 'nobody there');
    await expect.poll(() => values('flow/failed'), SOON).toEqual(['forbidden', 'unreachable']);
    await startB();
    await seen('B@h2');
    await says(/^received /);
    await boxA.publish('do/publish', 'there again');
    await expect.poll(() => values('flow/done'), SOON).toEqual([{ warm: true }, 'there again']);
  }, 180_000);

  it('one that goes by another name now is read from as before, and not said to be away', async () => {
    await boxB.close();
    await b.stop();
    await says(/^peer not reached, received /);
    const before = (await values('flow/came')).length;
    await startB('Anew');
    await seen('Anew@h2');
    await boxB.publish('news/0', 'by another name');
    await expect.poll(async () => (await values('flow/came')).slice(before), SOON).toEqual(['by another name']);
    await says(/^received /);
    expect((await boxA.subscriptions.list()).flatMap(({ name, source }) => (name.startsWith('news at ') ? [source] : []))).toMatchObject([{ peer: 'Anew@h2', askedAs: 'B@h2' }]);
  }, 180_000);
});
