// Two boxes and a home while everything that can break does, one fault a round: one box carries readings up over a bad wire,
// the other takes them down. After each round everything that was accepted is at home once, and at the other box once.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as lasts } from 'node:timers/promises';
import { eventually } from '../support/eventually.ts';
import { keepAll, loseNewest, restore, revoke } from '../support/home-store.ts';
import { createHomeServer, type HomeServer } from '../support/homes.ts';
import { createLan, type Lan } from '../support/lan.ts';
import { seeded } from '../support/seeded.ts';
import { createWire, type Wire } from '../support/wire.ts';
import { ChaosBox } from './chaos-box.ts';
import { type Held, Witness } from './witness.ts';

export type ServerKind = HomeServer['kind'];
const [SERVER, UPPER, LOWER] = [1, 2, 3];
const [UP, DOWN] = ['aaaaaaaaaaaaaaaa', 'bbbbbbbbbbbbbbbb'];
/** Packed, packed, and one item each with an id of its own. */
const TOPICS = ['plant/boiler', 'plant/pump', 'door'] as const;
/** Within that, after the last fault, all is right again. */
const HEALED = 120_000;

export interface ChaosOptions {
  readonly kind: ServerKind;
  readonly rounds: number;
  readonly seed: number;
  /** Only these faults. */
  readonly faults?: readonly Fault[];
  readonly say?: (line: string) => void;
}

export interface ChaosReport {
  readonly kind: ServerKind;
  readonly rounds: readonly { readonly fault: Fault; readonly seconds: number; readonly accepted: number }[];
  readonly accepted: number;
  readonly upstream: number;
  readonly down: number;
  readonly refused: number;
  readonly packs: number;
  readonly troubles: Readonly<Record<string, number>>;
}

interface World {
  readonly lan: Lan;
  readonly server: HomeServer;
  readonly wire: Wire;
  readonly up: ChaosBox;
  readonly down: ChaosBox;
  readonly random: () => number;
  /** Publishes so many readings, over the topics. */
  readonly publish: (count: number) => Promise<void>;
  readonly witness: Witness;
  /** First number that is published in each round. */
  readonly firsts: number[];
  /** What had come to both when its node was deleted at home: that takes it away below as well, sooner or later. */
  readonly seen: Set<string>;
  /** The owner says the password once more. */
  readonly add: () => Promise<unknown>;
  /** All that was accepted is at home, and at the other box. */
  readonly caughtUp: () => Promise<void>;
}

type Act = (world: World) => Promise<void>;
const among = (random: () => number, least: number, most: number): number => least + Math.floor(random() * (most - least + 1));
const restart = async ({ server }: World, env?: Readonly<Record<string, string>>): Promise<void> => {
  await server.stop();
  await server.start(env);
};

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
    await wire.set({ delay: 300, loss: 0.05, seed: among(random, 1, 1_000_000) });
    await publish(120);
    await world.caughtUp();
    await wire.set({ delay: 0, loss: 0 });
  },
  'newest items lost': async (world) => {
    const { server, publish, random } = world;
    const count = among(random, 1, 300);
    const before = (await atHome(world)).items;
    await publish(count + 50);
    await world.caughtUp();
    // What had settled before is the server's to keep; in packs there are fewer items than records.
    const unsettled = (await atHome(world)).items - before;
    await server.stop();
    await loseNewest(server, Math.min(count, unsettled));
    await server.start();
    await publish(10);
  },
  'password revoked': async ({ server, publish, add }) => {
    await publish(20);
    await server.stop();
    await revoke(server, 'edge1');
    await server.start();
    await publish(60);
    await server.stop();
    await restore(server, 'edge1');
    await server.start();
    await add();
  },
  'Debian\'s rate limits': async (world) => {
    await restart(world, world.server.kind === 'prosody' ? { LIMITS: '10kb/s' } : { SHAPER: 'normal' });
    await world.publish(30);
    await world.caughtUp();
    await restart(world);
  },
  'node deleted': async (world) => {
    const { publish, random, seen, witness } = world;
    await publish(40);
    // What had settled goes with the node.
    await world.caughtUp();
    const node = TOPICS[among(random, 0, TOPICS.length - 1)] ?? TOPICS[0];
    for (const id of (await witness.of(node)).records) seen.add(id);
    await witness.deleteNode(node);
    await publish(60);
  },
  'disk full': async ({ up, down, publish, random }) => {
    const box = random() < 0.5 ? up : down;
    await box.full(true);
    await lasts(1_100); // it looks once a second
    const publishing = publish(80);
    await lasts(among(random, 300, 1_500));
    await box.full(false);
    await publishing;
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

export async function runChaos({ kind, rounds, seed, faults = NAMES, say = () => undefined }: ChaosOptions): Promise<ChaosReport> {
  const random = seeded(seed);
  const dir = mkdtempSync(join(tmpdir(), 'lanpost-chaos-'));
  const lan = await createLan(3);
  const server = await createHomeServer(kind, { lan, host: SERVER, env: { LISTEN: '0.0.0.0' } });
  let wire: Wire | undefined;
  let witness: Witness | undefined;
  const up = new ChaosBox(lan, UPPER, join(dir, 'up'), UP);
  const down = new ChaosBox(lan, LOWER, join(dir, 'down'), DOWN);
  try {
    wire = await createWire(lan, SERVER, UPPER);
    await server.start();
    await server.stop();
    await keepAll(server);
    await server.start();
    await Promise.all([up.start(), down.start()]);
    witness = new Witness(lan, SERVER, server);
    const account = (host: string): object => ({ ...server.account('edge1'), host, port: server.port, ca: readFileSync(server.ca, 'utf8') });
    const road = wire.address(SERVER);
    const addUp = (): Promise<unknown> => up.add({ ...account(road), up: [{ filter: 'plant/#', pack: true }, { filter: 'door' }] });
    const addDown = (): Promise<unknown> => down.add({ ...account(lan.address(SERVER)), down: [{ node: '#' }] });
    for (const topic of TOPICS) await Promise.all([up.configure(topic), down.configure(topic)]);
    await addUp();
    let next = 0;
    const seen = new Set<string>();
    const firsts: number[] = [];
    const world: World = {
      firsts, lan, server, wire, up, down, random, seen, witness,
      add: () => Promise.all([addUp(), addDown()]),
      async publish(count) {
        await Promise.all(TOPICS.map((topic, i) => {
          const each = Math.ceil(count / TOPICS.length);
          const from = next;
          next += each;
          return up.publish(topic, from, from + each, i === 2);
        }));
      },
      caughtUp: () => caughtUp(world),
    };
    await world.publish(9);
    await addDown();
    await caughtUp(world);
    const done: { fault: Fault; seconds: number; accepted: number }[] = [];
    for (const [n, fault] of schedule(rounds, random, faults).entries()) {
      const begun = performance.now();
      const before = up.acked.size;
      firsts.push(next);
      try {
        await FAULTS[fault](world);
        await caughtUp(world);
        await checked(world);
      } catch (cause) {
        throw new Error(`${kind}, seed ${seed}, round ${n + 1}, ${fault}: ${cause instanceof Error ? cause.message : String(cause)}\nup: ${up.messages.slice(-12).join('\n    ')}\ndown: ${down.messages.slice(-12).join('\n    ')}`, { cause });
      }
      const round = { fault, seconds: Math.round((performance.now() - begun) / 100) / 10, accepted: up.acked.size - before };
      done.push(round);
      say(`${kind} ${n + 1}/${rounds} ${fault}: ${round.accepted} accepted, ${round.seconds} s`);
    }
    const { records, packs } = await atHome(world);
    return {
      kind, rounds: done, accepted: up.acked.size, upstream: new Set([...records, ...seen]).size, down: new Set([...await below(world), ...seen]).size, packs, refused: up.refused,
      troubles: Object.fromEntries([...up.troubles, ...[...down.troubles].map(([name, count]) => [`down ${name}`, count] as const)]),
    };
  } finally {
    await Promise.all([up.kill(), down.kill()]);
    await witness?.[Symbol.asyncDispose]();
    await wire?.close();
    await server.down();
    await lan.down();
    rmSync(dir, { recursive: true, force: true });
  }
}

async function atHome(world: World): Promise<{ readonly records: string[]; readonly packs: number; readonly items: number }> {
  const held: Held[] = [];
  for (const node of TOPICS) held.push(await world.witness.of(node));
  return { records: held.flatMap(({ records }) => records), packs: held.reduce((sum, { packs }) => sum + packs, 0), items: held.reduce((sum, { items }) => sum + items.length, 0) };
}

/** Ids of the records in the other box's log. */
async function below({ down }: World): Promise<string[]> {
  return (await down.dump('#')).map(([, id]) => id);
}

/** In which round it was published; 0: before the first. */
const roundOf = ({ up, firsts }: World, id: string): number => firsts.findLastIndex((first) => first <= (up.acked.get(id) ?? 0)) + 1;

/** Everything accepted is at home and below; then what was acknowledged settles. */
async function caughtUp(world: World): Promise<void> {
  const { up, down, seen } = world;
  let missing = '';
  const whole = async (): Promise<boolean> => {
    const there = new Set([...(await atHome(world)).records, ...seen]);
    const taken = new Set([...await below(world), ...seen]);
    const [above, under] = [[...up.acked.keys()].filter((id) => !there.has(id)), [...up.acked.keys()].filter((id) => !taken.has(id))];
    missing = `${above.length} missing at home, ${under.length} at the other box, published in rounds ${[...new Set([...above, ...under].map((id) => roundOf(world, id)))].join(' ')}, e.g. ${above[0] ?? under[0] ?? ''}`;
    return above.length + under.length === 0;
  };
  await eventually(whole, { within: HEALED, every: 300 }).catch(async (error: unknown) => {
    throw new Error(`${missing}; ${JSON.stringify((await up.status()).homes)} ${JSON.stringify((await down.status()).homes)}`, { cause: error });
  });
}

/** Each once, and nothing that nobody published; what is settled is given up by the log. */
async function checked(world: World): Promise<void> {
  const { up } = world;
  // Where the session was lost meanwhile, the minute begins anew when it has been seen what is there.
  const settled = async (): Promise<boolean> => {
    await up.settle();
    return (await up.status()).homes.every((home) => home.queued === 0);
  };
  await eventually(settled, { within: HEALED, every: 500 }).catch(async (error: unknown) => {
    throw new Error(`it does not settle: ${JSON.stringify(await up.status())}`, { cause: error });
  });
  const { records } = await atHome(world);
  const taken = await below(world);
  for (const [where, ids] of [['at home', records], ['at the other box', taken]] as const) {
    const twice = ids.filter((id, i) => ids.indexOf(id) !== i);
    if (twice.length > 0) throw new Error(`${twice.length} are twice ${where}, e.g. ${twice[0]}`);
    const foreign = ids.filter((id) => !id.startsWith(`${UP}-`));
    if (foreign.length > 0) throw new Error(`${foreign.length} are ${where} that nobody published, e.g. ${foreign[0]}`);
  }
  // What was being accepted when the box was killed may be there or not.
  const unknown = up.asked.size - up.acked.size;
  const more = new Set([...records, ...world.seen, ...taken]).size - up.acked.size;
  if (more > unknown) throw new Error(`${more} more than were accepted, where at most ${unknown} were not answered`);
}
