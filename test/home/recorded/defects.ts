// What other store-and-forward systems were reported to do wrong, each as it was seen there, done to a box with a log on disk.
import { randomBytes } from 'node:crypto';
import { expect } from 'vitest';
import { type Edge, openEdge } from './edge.ts';
import type { Upstream } from './upstream.ts';

export interface Defect {
  /** Where it was reported. */
  readonly issues: string;
  /** What does not happen here. */
  readonly title: string;
  readonly check: (upstream: Upstream) => Promise<void>;
}

const MIB = 1 << 20;
const UP = 'plant/boiler';
const HOUR = 3_600_000;
/** CPU seconds. */
const TRY = 0.006;

/** Of so many bytes that no disk makes less of. */
const values = (count: number, bytes = 100, from = 0): string[] => Array.from({ length: count }, (_, n) => `${from + n} ${randomBytes(bytes >> 1).toString('hex')}`);
/** Each is there once and none else, and the box knows it. */
async function arrivesExactly(edge: Edge, upstream: Upstream, node: string, accepted: readonly string[]): Promise<void> {
  await edge.drained(node, accepted.length);
  await holdsExactly(upstream, node, accepted);
}
async function holdsExactly(upstream: Upstream, node: string, accepted: readonly string[]): Promise<void> {
  const there = await upstream.records(node);
  expect(there.length, 'records at home').toBe(accepted.length);
  expect(there.toSorted()).toEqual(accepted.toSorted());
}

async function limitReached(upstream: Upstream): Promise<void> {
  await using edge = await openEdge({ upstream, disk: 20 * MIB, log: { diskFloor: 8 * MIB, windowBytes: MIB, garbageBytes: MIB } });
  await edge.add({ topics: [UP] });
  edge.road.cut();
  await edge.log.append({ topic: UP, kind: 'configure', config: { maxItems: 10 } });
  const accepted: string[] = [];
  const refused: unknown[] = [];
  while (refused.length === 0) {
    await edge.publish(UP, values(20, 8_000)).then((ids) => accepted.push(...ids), (error: unknown) => refused.push(error));
  }
  expect(refused).toMatchObject([{ code: 'disk-full' }]);
  // Of the last lot some may have been accepted.
  const waiting = (await edge.status()).queued;
  expect(waiting).toBeGreaterThan(500);
  expect(accepted.length).toBeLessThanOrEqual(waiting);
  edge.road.restore();
  await edge.drained(UP, waiting);
  const there = await upstream.records(UP);
  expect([there.length, new Set(there).size, accepted.filter((id) => !there.includes(id))]).toEqual([waiting, waiting, []]);
  // Nobody has made room but the box itself.
  await edge.until(() => edge.log.state === 'open');
  const more = await edge.publish(UP, values(50));
  await arrivesExactly(edge, upstream, UP, [...there, ...more]);
}

async function drainsWithoutPublish(upstream: Upstream): Promise<void> {
  await using edge = await openEdge({ upstream });
  await edge.add({ topics: [UP] });
  await edge.until(async () => (await edge.status()).state === 'online');
  edge.road.cut();
  await edge.until(async () => (await edge.status()).state === 'waiting');
  const accepted = await edge.publish(UP, values(300));
  const { head } = edge.log;
  edge.road.restore();
  await arrivesExactly(edge, upstream, UP, accepted);
  expect(edge.log.head).toBe(head);
}

async function drainsWithoutRestart(upstream: Upstream): Promise<void> {
  await using edge = await openEdge({ upstream });
  await edge.add({ topics: [UP] });
  await edge.until(async () => (await edge.status()).state === 'online');
  await upstream.end();
  const accepted = await edge.publish(UP, values(200));
  await edge.until(async () => (await edge.status()).state === 'waiting');
  const back = edge.clock.wall() + 24 * HOUR;
  const { rate } = edge.clock;
  edge.clock.rate = 30_000;
  await edge.until(() => edge.clock.wall() >= back);
  edge.clock.rate = rate;
  expect((await edge.status()).queued).toBe(200);
  await upstream.begin();
  // The longest pause between two tries is 5 minutes.
  edge.clock.rate = 100;
  await edge.until(async () => (await edge.status()).state === 'online');
  edge.clock.rate = rate;
  await arrivesExactly(edge, upstream, UP, accepted);
}

async function keptUntilConfirmed(upstream: Upstream): Promise<void> {
  await using edge = await openEdge({ upstream });
  await edge.add({ topics: [UP] });
  await edge.until(async () => (await edge.status()).state === 'online');
  edge.road.cut();
  const { rate } = edge.clock;
  const accepted = await edge.publish(UP, values(400, 500));
  for (const bytes of [60_000, 90_000]) {
    edge.road.restore();
    await edge.road.silenceAfter(bytes);
    // Whatever is on its way when nobody tells that it will not arrive.
    for (let n = 0; n < 20; n++) accepted.push(...await edge.publish(UP, values(1)));
    const there = await upstream.count(UP);
    expect((await edge.status()).queued).toBeGreaterThanOrEqual(accepted.length - there);
    edge.clock.rate = 100;
    await edge.until(async () => (await edge.status()).state !== 'online');
    edge.clock.rate = rate;
  }
  expect(await upstream.count(UP)).toBeLessThan(accepted.length);
  edge.road.restore();
  await arrivesExactly(edge, upstream, UP, accepted);
}

async function largeBacklog(upstream: Upstream): Promise<void> {
  const BACKLOG = 100_000;
  await using edge = await openEdge({ upstream });
  await edge.add({ topics: ['#'] });
  edge.road.cut();
  for (let n = 0; n < BACKLOG; n += 1_000) await edge.publish(UP, values(1_000, 100, n));
  await edge.restart();
  // It is a cursor and its topic, and the first page; the rest is read as there is room to send it.
  expect(edge.rows).toBeLessThan(BACKLOG / 100);
  expect((await edge.status()).queued).toBe(BACKLOG);
  await upstream.follow(UP, 'door');
  edge.road.restore();
  await edge.until(() => upstream.arrivals.length >= 300);
  const before = upstream.arrivals.length;
  const live = await edge.publish('door', ['open']);
  await edge.until(() => upstream.arrivals.includes('door'));
  // What was in flight goes first, and what goes while it is asked whether the node is there.
  expect(upstream.arrivals.indexOf('door') - before).toBeLessThan(BACKLOG / 100);
  await holdsExactly(upstream, 'door', live);
}

/** A node that comes down is deleted and made anew, with the same names for other items. */
async function nodeMadeAnew(upstream: Upstream): Promise<void> {
  await using edge = await openEdge({ upstream });
  const down = async (): Promise<string[]> => (edge.log.topic('set') ? await edge.log.items('set', { last: 1000 }) : []).map(({ payload }) => Buffer.from(payload?.bytes ?? []).toString());
  const fill = async (name: string, count: number): Promise<void> => { for (let n = 1; n <= count; n++) await upstream.publish('set', `${n}`, `${name} ${n}`); };
  const of = (name: string, count: number): string[] => Array.from({ length: count }, (_, n) => `${name} ${n + 1}`);
  await fill('first', 30);
  await edge.add({ topics: [], down: [{ node: 'set' }] });
  // A node that is not there is looked for after 5 minutes at most.
  edge.clock.rate = 100;
  await edge.until(async () => (await down()).length === 30);
  await upstream.deleteNode('set');
  await fill('second', 20);
  await edge.until(async () => (await down()).filter((text) => text.startsWith('second')).length === 20);
  edge.road.cut();
  await edge.until(async () => (await edge.status()).state === 'waiting');
  await upstream.deleteNode('set');
  await fill('third', 10);
  edge.road.restore();
  await edge.until(async () => (await down()).filter((text) => text.startsWith('third')).length === 10);
  await fill('more', 5);
  await edge.until(async () => (await down()).filter((text) => text.startsWith('more')).length === 5);
  const all = await edge.log.cursor({ name: 'all', filter: 'set', from: 'start', durable: false });
  const told = (await all.next(1000)).filter(({ record }) => record.kind === 'publish').map(({ record: { payload } }) => Buffer.from(payload?.bytes ?? []).toString());
  await all.close();
  expect(told.toSorted()).toEqual([...of('first', 30), ...of('second', 20), ...of('third', 10), ...of('more', 5)].toSorted());
}

/** The box's own store is made anew: its numbers begin again, and home has records with the same ones. */
async function storeMadeAnew(upstream: Upstream): Promise<void> {
  await using edge = await openEdge({ upstream });
  await edge.add({ topics: [UP] });
  const first = await edge.publish(UP, values(50));
  await edge.drained(UP, 50);
  await edge.restart(true);
  await edge.add({ topics: [UP] });
  const second = await edge.publish(UP, values(30));
  await arrivesExactly(edge, upstream, UP, [...first, ...second]);
}

async function spaceComesBack(upstream: Upstream): Promise<void> {
  await using edge = await openEdge({ upstream, log: { windowBytes: MIB, garbageBytes: MIB } });
  await edge.add({ topics: [UP] });
  await edge.log.append({ topic: UP, kind: 'configure', config: { maxItems: 10 } });
  edge.road.cut();
  const accepted: string[] = [];
  for (let n = 0; n < 20; n++) accepted.push(...await edge.publish(UP, values(20, 50_000)));
  expect(await edge.used()).toBeGreaterThan(18 * MIB);
  edge.road.restore();
  await arrivesExactly(edge, upstream, UP, accepted);
  // What was written last stays as its own witness, and there is a journal.
  await edge.until(async () => await edge.used() < 9 * MIB);
}

/** CPU seconds while a day passes. */
async function dayOf(edge: Edge, meanwhile: () => Promise<unknown> = async () => undefined): Promise<number> {
  const back = edge.clock.wall() + 24 * HOUR;
  const { rate } = edge.clock;
  const before = process.cpuUsage();
  edge.clock.rate = 30_000;
  await edge.until(async () => {
    await meanwhile();
    return edge.clock.wall() >= back;
  });
  edge.clock.rate = rate;
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}

async function serverGone(upstream: Upstream): Promise<void> {
  await using edge = await openEdge({ upstream });
  const idle = await dayOf(edge);
  await edge.add({ topics: [UP] });
  await edge.until(async () => (await edge.status()).state === 'online');
  await upstream.end();
  await edge.until(async () => (await edge.status()).state === 'waiting');
  const states = new Set<string>();
  const { calls } = edge.road;
  const gone = await dayOf(edge, async () => { states.add((await edge.status()).state); });
  expect([...states].filter((state) => state !== 'waiting' && state !== 'connecting')).toEqual([]);
  const tries = edge.road.calls - calls;
  expect(tries).toBeGreaterThan(100);
  expect(tries).toBeLessThan(1_500);
  // What it costs above a day without a home is its tries, and each is a connection that ends at once.
  expect((gone - idle) / tries).toBeLessThan(TRY);
  const { rate } = edge.clock;
  edge.clock.rate = 100;
  await upstream.begin();
  await edge.until(async () => (await edge.status()).state === 'online');
  edge.clock.rate = rate;
  const accepted = await edge.publish(UP, values(10));
  await arrivesExactly(edge, upstream, UP, accepted);
}

export const DEFECTS: readonly Defect[] = [
  { issues: 'eclipse-mosquitto/mosquitto#2256', title: 'a limit that was reached does not end the sending: all that was accepted goes up when home is back, and more is taken by itself', check: limitReached },
  { issues: 'nanomq/nanomq#2423', title: 'what waits goes up as soon as home is back, without anything new being published', check: drainsWithoutPublish },
  { issues: 'Azure/iotedge#7123', title: 'what waits goes up after a day without a server, without a restart', check: drainsWithoutRestart },
  { issues: 'nanomq/nanomq#2432, kubeedge/kubeedge#6615', title: 'nothing is removed before home has confirmed it: a path that dies without a word while it drains loses nothing, nor does the first that is published after', check: keptUntilConfirmed },
  { issues: 'aws-greengrass/aws-greengrass-nucleus#1832', title: 'of 100,000 that wait not a hundredth is read at the start, nor goes before what is new', check: largeBacklog },
  { issues: 'nats-io/nats-server#6206', title: 'a node at home that is made anew, with names that begin again, is followed on, seen or unseen', check: nodeMadeAnew },
  { issues: 'nats-io/nats-server#6206', title: 'a box whose numbers begin again replaces nothing at home, and loses nothing', check: storeMadeAnew },
  { issues: 'Azure/iotedge#3981', title: 'the disk gets its space back when all has gone up', check: spaceComesBack },
  { issues: 'node-red/node-red-nodes#876', title: 'a server that is gone for a day leaves the process alive and idle and the state true', check: serverGone },
];
