// Two boxes and a home while everything that can break does, one fault a round: one box carries readings up over a bad wire,
// the other takes them down. After each round the books are balanced; see reckoning.ts.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { keepAll } from '../support/home-store.ts';
import { createHomeServer, type HomeServer } from '../support/homes.ts';
import { createLan } from '../support/lan.ts';
import { seeded } from '../support/seeded.ts';
import { createWire, type Wire } from '../support/wire.ts';
import { ChaosBox } from './chaos-box.ts';
import { Excused } from './excused.ts';
import { FAULTS, NAMES, type Fault, schedule } from './faults.ts';
import { atHome, caughtUp, reckoned } from './reckoning.ts';
import { Witness } from './witness.ts';
import { ALONE, LOWER, RULES, SERVER, SHORT, TOPICS, UPPER, type World } from './world.ts';

export type ServerKind = HomeServer['kind'];

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
  /** Of the accepted, as the ledger counts them. */
  readonly gaps: number;
  /** That are there at the end. */
  readonly upstream: number;
  readonly down: number;
  /** That had been there, and went when their node was deleted. Accepted without the counted = those that are there and these. */
  readonly deleted: { readonly upstream: number; readonly down: number };
  /** Readings that were asked for and not answered: they may be there or not. */
  readonly unanswered: number;
  /** How often a reading was refused, by code. */
  readonly refused: Readonly<Record<string, number>>;
  readonly packs: number;
  /** How many of its newest items the server lost, each time. */
  readonly lost: readonly number[];
  readonly troubles: Readonly<Record<string, number>>;
}

export async function runChaos({ kind, rounds, seed, faults = NAMES, say = () => undefined }: ChaosOptions): Promise<ChaosReport> {
  const random = seeded(seed);
  const dir = mkdtempSync(join(tmpdir(), 'lanpost-chaos-'));
  const lan = await createLan(3);
  // A node that was deleted ejabberd makes anew by itself, for a few items: those that are driven out are not what is looked for here.
  const server = await createHomeServer(kind, { lan, host: SERVER, env: { LISTEN: '0.0.0.0', NODE_ITEMS: '100000' } });
  let wire: Wire | undefined;
  let witness: Witness | undefined;
  const up = new ChaosBox(lan, UPPER, join(dir, 'up'));
  const down = new ChaosBox(lan, LOWER, join(dir, 'down'));
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
    const addUp = (): Promise<unknown> => up.add({ ...account(road), up: RULES });
    const addDown = (): Promise<unknown> => down.add({ ...account(lan.address(SERVER)), down: [{ node: '#' }] });
    for (const topic of [...TOPICS, SHORT]) await Promise.all([up.create(topic), down.create(topic)]);
    await addUp();
    let next = 0;
    const world: World = {
      firsts: [], lan, server, wire, up, down, random, excused: { atHome: new Excused(), below: new Excused() }, lost: [], witness,
      add: () => Promise.all([addUp(), addDown()]),
      async publish(count, only) {
        const topics = only === undefined ? TOPICS : [only];
        await Promise.all(topics.map((topic) => {
          const each = Math.ceil(count / topics.length);
          const from = next;
          next += each;
          return up.publish(topic, from, from + each, topic === ALONE);
        }));
      },
    };
    await world.publish(9);
    await addDown();
    await caughtUp(world);
    const done: { fault: Fault; seconds: number; accepted: number }[] = [];
    let gaps = 0;
    for (const [n, fault] of schedule(rounds, random, faults).entries()) {
      const begun = performance.now();
      const before = { accepted: up.acked.size, lost: world.lost.length, gaps };
      world.firsts.push(next);
      try {
        await FAULTS[fault](world);
        await caughtUp(world);
        gaps = await reckoned(world);
      } catch (cause) {
        throw new Error(`${kind}, seed ${seed}, round ${n + 1}, ${fault}: ${cause instanceof Error ? cause.message : String(cause)}\nup: ${up.messages.slice(-12).join('\n    ')}\ndown: ${down.messages.slice(-12).join('\n    ')}`, { cause });
      }
      const round = { fault, seconds: Math.round((performance.now() - begun) / 100) / 10, accepted: up.acked.size - before.accepted };
      done.push(round);
      const lost = world.lost.slice(before.lost).join(' and ');
      say(`${kind} ${n + 1}/${rounds} ${fault}: ${round.accepted} accepted${lost === '' ? '' : `, ${lost} lost by the server`}${gaps === before.gaps ? '' : `, ${gaps - before.gaps} counted as lost`}, ${round.seconds} s`);
    }
    const { records, packs } = await atHome(world);
    const [above, below] = [new Set(records), new Set((await down.dump()).map(([, id]) => id))];
    const gone = (excused: Excused, there: ReadonlySet<string>): number => [...excused].filter((id) => !there.has(id)).length;
    return {
      kind, rounds: done, accepted: up.acked.size, gaps, upstream: above.size, down: below.size,
      deleted: { upstream: gone(world.excused.atHome, above), down: gone(world.excused.below, below) },
      unanswered: up.asked.size - up.acked.size, refused: Object.fromEntries(up.refused), packs, lost: world.lost,
      troubles: Object.fromEntries([...up.troubles, ...[...down.troubles].map(([name, count]) => [`down ${name}`, count] as const)]),
    };
  } finally {
    await Promise.all([up.kill(), down.kill()]);
    await witness?.[Symbol.asyncDispose]();
    await wire?.close();
    await server.down();
    await lan.down();
    for (const box of [up, down]) box[Symbol.dispose]();
    rmSync(dir, { recursive: true, force: true });
  }
}
