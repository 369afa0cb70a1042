// Everything that can break, each by its name.
import { setTimeout as lasts } from 'node:timers/promises';
import { eventually } from '../support/eventually.ts';
import { loseNewest } from '../support/home-store.ts';
import type { ChaosBox } from './chaos-box.ts';
import { atHome, caughtUp } from './reckoning.ts';
import { ALONE, EXPIRE, HEALED, LOWER, SHORT, TOPICS, UPPER, type World } from './world.ts';

type Act = (world: World) => Promise<void>;
const among = (random: () => number, least: number, most: number): number => least + Math.floor(random() * (most - least + 1));
const restart = async ({ server }: World, env?: Readonly<Record<string, string>>): Promise<void> => {
  await server.stop();
  await server.start(env);
};
/** Of the newest items that a server loses: few, and many. */
const LOST = [[1, 99], [100, 300]] as const;
const REVOKED = 'not-the-secret';
/** As Debian ships them: bytes a second, and bytes that go at once before that is held to; and readings enough that it is. */
const LIMITS = {
  prosody: { env: { LIMITS: '10kb/s' }, rate: 10_000, burst: 20_000, readings: 200 },
  ejabberd: { env: { SHAPER: 'normal' }, rate: 3_000, burst: 20_000, readings: 90 },
} as const;
/** At least so much of what is on the wire is in the stream. */
const CARRIED = 0.75;

/** Bytes that the box has put on its wire. */
async function wireBytes({ lan, wire }: World): Promise<number> {
  const [device] = JSON.parse(await lan.run(UPPER, 'ip', ['-s', '-j', 'link', 'show', wire.device])) as { stats64: { tx: { bytes: number } } }[];
  if (!device) throw new Error('there is no wire');
  return device.stats64.tx.bytes;
}

/** The server has acknowledged so many items, and then has them no more: what had settled before is its own to keep, so all are new. */
async function loses(world: World, count: number): Promise<void> {
  const { server, publish, lost } = world;
  const before = (await atHome(world)).items;
  await Promise.all([publish(30), publish(count, ALONE)]);
  await caughtUp(world);
  const unsettled = (await atHome(world)).items - before;
  if (unsettled < count) throw new Error(`${unsettled} items have not settled, fewer than the ${count} that are to be lost`);
  await server.stop();
  const done = await loseNewest(server, count);
  if (done !== count) throw new Error(`${done} items were lost, not ${count}`);
  lost.push(count);
  await server.start();
  await publish(10);
  await caughtUp(world);
}

/** Resolves when a write has failed because not a byte more could be written. */
async function runsFull(box: ChaosBox): Promise<void> {
  const { disk, messages } = box;
  const before = messages.length;
  await eventually(() => {
    // What it gives back meanwhile is taken, too.
    disk.fill();
    box.look();
    return Promise.resolve(messages.slice(before).some((message) => /^log\.refusing: A write failed .*No space left/.test(message)));
  }, { tell: async () => [messages.slice(before), await box.status()] });
}

export const FAULTS = {
  'kill the box': async ({ up, publish, random }) => {
    const publishing = publish(120);
    await lasts(among(random, 50, 400));
    await up.kill();
    await publishing;
    await up.start();
    await publish(20);
  },
  'kill the other box': async ({ down, publish, random }) => {
    const publishing = publish(120);
    await lasts(among(random, 50, 400));
    await down.kill();
    await publishing;
    await down.start();
  },
  'kill the server': async ({ server, publish, random }) => {
    const publishing = publish(160);
    await lasts(among(random, 50, 500));
    await server.kill();
    await lasts(among(random, 0, 500));
    await server.start();
    await publishing;
  },
  'cut without a word': async ({ wire, publish, random }) => {
    const publishing = publish(120);
    await lasts(among(random, 20, 300));
    await wire.set({ on: false });
    await lasts(among(random, 500, 6_000));
    await wire.set({ on: true });
    await publishing;
  },
  'cut of the other box': async ({ lan, publish, random }) => {
    const publishing = publish(120);
    await lasts(among(random, 20, 300));
    await lan.silentCut(LOWER);
    await lasts(among(random, 500, 6_000));
    await lan.restore(LOWER);
    await publishing;
  },
  'a bad wire': async (world) => {
    const { wire, publish, random } = world;
    const before = await wire.set({ delay: 300, loss: 0.05, seed: among(random, 1, 1_000_000) });
    await publish(120);
    await caughtUp(world);
    const { a, b } = await wire.set({ delay: 0, loss: 0 });
    if (a.lost + b.lost === before.a.lost + before.b.lost) throw new Error('the bad wire lost nothing');
  },
  'newest items lost': async (world) => {
    for (const [least, most] of LOST) await loses(world, among(world.random, least, most));
  },
  'password revoked': async ({ server, publish, add, up, down }) => {
    await publish(20);
    await server.changePassword('edge1', REVOKED);
    const publishing = publish(60);
    for (const box of [up, down]) await eventually(async () => (await box.status()).homes[0]?.state === 'refused', { within: HEALED, tell: () => box.status() });
    await publishing;
    await server.changePassword('edge1', server.account('edge1').password);
    await add();
  },
  'Debian\'s rate limits': async (world) => {
    const { server, up, publish } = world;
    const { env, rate, burst, readings } = LIMITS[server.kind];
    await restart(world, env);
    await eventually(async () => (await up.status()).homes[0]?.state === 'online', { within: HEALED, tell: () => up.status() });
    const [begun, before] = [performance.now(), await wireBytes(world)];
    await publish(30);
    await publish(readings, ALONE);
    await caughtUp(world);
    const [seconds, bytes] = [(performance.now() - begun) / 1000, await wireBytes(world) - before];
    const least = (bytes * CARRIED - burst) / rate;
    if (least < 3 || seconds < least) throw new Error(`the limit was not felt: ${bytes} bytes in ${seconds.toFixed(1)} s, where ${rate} a second are let through after the first ${burst}`);
    await restart(world);
  },
  'node deleted': async (world) => {
    const { publish, random, excused, up, witness } = world;
    await publish(40);
    await caughtUp(world);
    // What the home has acknowledged goes with the node; what comes after that is to be there.
    await eventually(async () => (await up.status()).homes.every(({ left }) => left === undefined), { within: HEALED, tell: () => up.status() });
    const node = TOPICS[among(random, 0, TOPICS.length - 1)] ?? TOPICS[0];
    const held = (await witness.of(node)).records.map(({ recordId }) => recordId);
    for (const gone of [excused.atHome, excused.below]) gone.gone(held);
    await witness.deleteNode(node);
    await publish(60);
  },
  'disk full': async ({ up, publish, random }) => {
    const before = up.refused.get('disk-full') ?? 0;
    up.disk.fill();
    const publishing = publish(80);
    await runsFull(up);
    await lasts(among(random, 100, 1_500));
    up.look();
    if ((up.refused.get('disk-full') ?? 0) === before) throw new Error('nothing was refused while the disk was full');
    up.disk.empty();
    await publishing;
  },
  'disk of the other box full': async ({ down, publish, random }) => {
    down.disk.fill();
    const publishing = publish(80);
    await runsFull(down);
    await lasts(among(random, 100, 1_500));
    down.disk.empty();
    await publishing;
  },
  'readings expire': async ({ up, server, publish, random }) => {
    await publish(10, SHORT);
    await server.stop();
    await publish(among(random, 20, 80), SHORT);
    await lasts(EXPIRE + 200);
    await server.start();
    await eventually(async () => (await up.status()).homes[0]?.state === 'online', { within: HEALED, tell: () => up.status() });
    await publish(20, SHORT);
  },
} as const satisfies Readonly<Record<string, Act>>;
export type Fault = keyof typeof FAULTS;
export const NAMES: readonly Fault[] = Object.keys(FAULTS) as Fault[];

/** Every fault once before any comes again. */
export function schedule(rounds: number, random: () => number, faults: readonly Fault[]): Fault[] {
  const order: Fault[] = [];
  while (order.length < rounds) {
    const left = [...faults];
    while (left.length > 0) order.push(...left.splice(Math.floor(random() * left.length), 1));
  }
  return order.slice(0, rounds);
}
