// Boxes and two real homes: what goes up at one domain comes down at another, and what goes both ways ends.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { HomeOptions } from '../../src/api.ts';
import { createSystemClock } from '../../src/clock.ts';
import { createHomes, type Homes } from '../../src/home/homes.ts';
import { retractRequest } from '../../src/home/node.ts';
import { LevelDatabase } from '../../src/log/level-database.ts';
import { openLog, type Log } from '../../src/log/log.ts';
import { toPayload } from '../../src/payload/payload.ts';
import { Broker } from '../../src/pubsub/broker.ts';
import { xml } from '../../src/xmpp/element.ts';
import { openReader } from '../home/reader.ts';
import { Bell } from '../support/bell.ts';
import { eventually } from '../support/eventually.ts';
import { createHomeServer, type HomeServer } from '../support/homes.ts';
import { needs } from '../support/needs.ts';

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

interface Box { readonly log: Log; readonly homes: Homes; readonly bell: Bell; readonly troubles: string[] }

async function box(boxId: string): Promise<Box> {
  const bell = new Bell();
  const troubles: string[] = [];
  const trouble = ({ kind, message }: { kind: string; message: string }): void => { troubles.push(`${kind}: ${message}`); };
  const dir = mkdtempSync(join(tmpdir(), 'lanpost-down-'));
  const clock = bell.heard(createSystemClock());
  const log = await openLog({ database: new LevelDatabase(dir), clock, boxId, trouble });
  const broker = new Broker({ log, clock, trouble, may: () => false, limits: { itemBytes: 131_072, topics: 1000, subscriptions: 100 } });
  const homes = createHomes({ log, broker, clock, trouble, boxId, limits: { settle: 500, rescan: 500, again: 200 }, random: () => 0.1 });
  closers.push(async () => {
    await homes.close();
    await log.close();
    rmSync(dir, { recursive: true });
  });
  return { log, homes, bell, troubles };
}

/** Both domains, each of which finds the other without DNS. */
async function domains(): Promise<[HomeServer, HomeServer]> {
  const [prosody, ejabberd] = [await createHomeServer('prosody'), await createHomeServer('ejabberd')];
  closers.push(() => prosody.down(), () => ejabberd.down());
  await Promise.all([
    prosody.start({ PEERS: `${ejabberd.domain}=127.0.0.1:${ejabberd.port + 47}` }),
    ejabberd.start({ PEERS: prosody.domain, PEER_PORT: String(prosody.port + 47) }),
  ]);
  return [prosody, ejabberd];
}

const account = (server: HomeServer): HomeOptions => ({ ...server.account('edge1'), host: server.host, port: server.port, ca: readFileSync(server.ca, 'utf8') });
const publish = (log: Log, topic: string, from: number, to: number): Promise<unknown> => Promise.all(Array.from({ length: to - from }, (_, n) => log.append({ topic, kind: 'publish', payload: toPayload(from + n) })));
const numbers = async (log: Log, topic: string): Promise<number[]> => (log.topic(topic) ? await log.items(topic) : []).map(({ payload }) => Number(Buffer.from(payload?.bytes ?? '').toString())).toSorted((a, b) => a - b);
const counts = (to: number): number[] => Array.from({ length: to }, (_, n) => n);

describe.each(['prosody', 'ejabberd'] as const)('what another takes away at a real %s', (kind) => {
  it.skipIf(!needs(kind))('is gone at the box that follows it: an item, all items, the node', async () => {
    const server = await createHomeServer(kind);
    closers.push(() => server.down());
    await server.start();
    const [a, b] = [await box('aaaabbbbccccdddd'), await box('bbbbccccddddeeee')];
    await a.homes.add({ ...account(server), topics: ['plant/#'] });
    await Promise.all(['kept', 'gone', 'last'].map((id, n) => a.log.append({ topic: 'plant/boiler', kind: 'publish', id, payload: toPayload(n) })));
    await b.homes.add({ ...account(server), down: [{ node: 'plant/#', as: 'far/{node}' }] });
    const here = (): Promise<number[]> => numbers(b.log, 'far/plant/boiler');
    await eventually(async () => (await here()).length === 3, { within: 30_000 });
    const other = await openReader(server, 'edge1');
    closers.push(async () => other[Symbol.asyncDispose]());
    const owner = (what: string): Promise<unknown> => other.request(xml('iq', { type: 'set', to: server.service }, xml('pubsub', { xmlns: 'http://jabber.org/protocol/pubsub#owner' }, xml(what, { node: 'plant/boiler' }))));
    await other.request(retractRequest(server.service, 'plant/boiler', 'gone'));
    await eventually(async () => (await here()).length === 2, { within: 30_000 });
    expect(await here()).toEqual([0, 2]);
    await owner('purge');
    await eventually(async () => (await here()).length === 0, { within: 30_000 });
    await a.log.append({ topic: 'plant/boiler', kind: 'publish', id: 'new', payload: toPayload(7) });
    await eventually(async () => (await here()).length === 1, { within: 30_000 });
    await owner('delete');
    await eventually(async () => b.log.topic('far/plant/boiler')?.deleted !== false, { within: 30_000 });
    expect(await here()).toEqual([]);
  });
});

describe.skipIf(!needs('prosody', 'ejabberd'))('two homes', () => {
  it('what a box publishes at a Prosody domain comes to a box at an ejabberd domain', async () => {
    const [prosody, ejabberd] = await domains();
    const [a, b] = [await box('aaaabbbbccccdddd'), await box('bbbbccccddddeeee')];
    // Others may read it, so others may at home.
    await a.log.append({ topic: 'plant/boiler', kind: 'configure', config: { accessModel: 'open', maxItems: 1000 } });
    await publish(a.log, 'plant/boiler', 0, 50);
    await a.homes.add({ ...account(prosody), topics: ['plant/#'] });
    await b.homes.add({ ...account(ejabberd), down: [{ node: 'plant/#', service: prosody.service, as: 'far/{node}' }] });
    await eventually(async () => (await numbers(b.log, 'far/plant/boiler')).length === 50, { within: 60_000 });
    await publish(a.log, 'plant/boiler', 50, 100);
    await eventually(async () => (await numbers(b.log, 'far/plant/boiler')).length === 100, { within: 60_000 });
    expect(await numbers(b.log, 'far/plant/boiler')).toEqual(counts(100));
    expect((await b.homes.list())[0]).toMatchObject({ down: { nodes: 1, waiting: 0 } });
  });

  it('two boxes with everything both ways at both: each home has each item once, and then there is silence', async () => {
    const servers = await domains();
    const boxes = [await box('aaaabbbbccccdddd'), await box('bbbbccccddddeeee')] as const;
    const items = 1_000;
    const told = new Map<string, number>();
    for (const { log, homes } of boxes) {
      await log.append({ topic: 't', kind: 'configure', config: { maxItems: 10_000 } });
      for (const server of servers) await homes.add({ ...account(server), topics: ['#'], down: [{ node: '#' }] });
    }
    // So that there is a node to be counted at.
    await publish(boxes[0].log, 't', 0, 1);
    const readers = [];
    for (const server of servers) {
      const reader = await openReader(server, 'edge1', { events: (count) => told.set(server.kind, (told.get(server.kind) ?? 0) + count) });
      closers.push(async () => reader[Symbol.asyncDispose]());
      readers.push(reader);
      await eventually(async () => reader.subscribe('t').then(() => true, () => false));
    }
    await Promise.all([publish(boxes[0].log, 't', 1, items / 2), publish(boxes[1].log, 't', items / 2, items)]);
    await eventually(async () => (await Promise.all(boxes.map(({ log }) => numbers(log, 't')))).every(({ length }) => length === items), { within: 90_000 });
    await eventually(async () => (await Promise.all(boxes.map(({ homes }) => homes.list()))).flat().every(({ queued }) => queued === 0), { within: 30_000 });
    for (const { log } of boxes) expect(await numbers(log, 't')).toEqual(counts(items));
    for (const reader of readers) expect((await reader.items('t')).map(({ value }) => Number(value)).toSorted((x, y) => x - y)).toEqual(counts(items));
    // The first may have come before they were subscribed.
    for (const server of servers) expect(told.get(server.kind)).toBeOneOf([items - 1, items]);
    // Whatever still went round would have come before, or between, what comes now.
    const before = new Map(told);
    for (const [n, { log }] of boxes.entries()) {
      await publish(log, 't', items + n, items + n + 1);
      await eventually(async () => (await Promise.all(boxes.map((other) => numbers(other.log, 't')))).every(({ length }) => length === items + n + 1), { within: 30_000 });
      await eventually(async () => servers.every(({ kind }) => (told.get(kind) ?? 0) > (before.get(kind) ?? 0) + n), { within: 30_000 });
      for (const { kind } of servers) expect(told.get(kind)).toBe((before.get(kind) ?? 0) + n + 1);
    }
  }, 200_000);
});
