import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Box } from '../../src/index.ts';
import { type BoxProcess, startBox } from '../support/box.ts';
import { createLan, type Lan } from '../support/lan.ts';
import { needs } from '../support/needs.ts';
import { createWire, type Wire } from '../support/wire.ts';
import { Flow, Sight } from './link-flow.ts';

const SECOND = 1_000;
/** Presence is right again so soon after a fault has ended. */
const AGAIN = 10 * SECOND;
/** What waited while the road was cut has arrived so soon after that. */
const ARRIVED = 10 * SECOND;

interface Outcome {
  /** Milliseconds from the end of the fault until each sees the other as it is. */
  readonly again: number;
  /** The same until all that was accepted has arrived. */
  readonly arrived: number;
  readonly messages: number;
  /** How often one of them was seen to go. */
  readonly downs: number;
  readonly faults: readonly string[];
}

/** Two boxes at the ends of a bad wire. */
class Pair {
  readonly #dir: string;
  readonly lan: Lan;
  readonly wire: Wire;
  readonly #processes: BoxProcess[] = [];
  readonly boxes: Box[] = [];
  readonly #over = new AbortController();
  #sights: Sight[] = [];
  #reader = 0;
  #saying = 0;

  private constructor(lan: Lan, wire: Wire) {
    this.#dir = mkdtempSync(join(tmpdir(), 'lanpost-wire-'));
    this.lan = lan;
    this.wire = wire;
  }

  static async open(): Promise<Pair> {
    const lan = await createLan(2);
    const pair = new Pair(lan, await createWire(lan, 1, 2));
    await Promise.all([pair.start(1), pair.start(2)]);
    await pair.see();
    return pair;
  }

  async start(host: 1 | 2): Promise<void> {
    const started = await startBox({ dir: join(this.#dir, String(host)), name: 'box', lan: this.lan, host, args: ['--interface', 'wire0'] });
    this.#processes[host - 1] = started;
    this.boxes[host - 1] = await started.attach();
    const { signal } = this.#over;
    this.#sights[host - 1] = new Sight(this.box(host), `box@h${3 - host}`, signal);
  }

  async kill(host: 1 | 2): Promise<void> {
    await this.#processes[host - 1]?.kill();
    await this.box(host).close();
  }

  box(host: 1 | 2): Box {
    const box = this.boxes[host - 1];
    if (!box) throw new Error(`there is no box ${host}`);
    return box;
  }

  sight(host: 1 | 2): Sight {
    const sight = this.#sights[host - 1];
    if (!sight) throw new Error(`box ${host} does not look`);
    return sight;
  }

  /** Both say something of themselves, which the other cannot hear for now, or not well. */
  async say(): Promise<void> {
    this.#saying += 1;
    await Promise.all(this.boxes.map((box) => box.setStatus('away', this.#said)));
  }

  get #said(): string {
    return `said ${this.#saying}`;
  }

  /** Until each sees the other, and what it said last. */
  async see(within: number = 20 * SECOND): Promise<number> {
    const says = this.#saying > 0 ? this.#said : undefined;
    return Math.max(...await Promise.all([this.sight(1), this.sight(2)].map((sight) => sight.until(() => sight.present && (says === undefined || sight.text === says), within))));
  }

  get downs(): number {
    return this.sight(1).downs + this.sight(2).downs;
  }

  ip(host: 1 | 2, ...args: string[]): Promise<string> {
    return this.lan.run(host, 'ip', args);
  }

  flows(): [Flow, Flow] {
    this.#reader += 1;
    return [new Flow(this.box(1), 'link:box@h2', `${this.#reader}>`), new Flow(this.box(2), 'link:box@h1', `${this.#reader}<`)];
  }

  /** Both write to each other before, during and after what `fault` does. */
  async through(fault: () => Promise<void>, right = (): Promise<number> => this.see(3 * AGAIN)): Promise<Outcome> {
    const flows = this.flows();
    const before = this.downs;
    await pause(SECOND);
    await fault();
    const ended = performance.now();
    const again = await right();
    await pause(SECOND);
    await Promise.all(flows.map((flow) => flow.stop(ARRIVED)));
    const arrived = Math.round(performance.now() - ended);
    const [there, back] = flows;
    const faults = await Promise.all([there.faults(this.box(2), 'flow'), back.faults(this.box(1), 'flow')]);
    return { again, arrived, messages: there.accepted.length + back.accepted.length, faults: faults.flat(), downs: this.downs - before };
  }

  async close(): Promise<void> {
    this.#over.abort();
    await Promise.all(this.boxes.map((box) => box.close()));
    await this.wire.close();
    await this.lan.down();
    rmSync(this.#dir, { recursive: true, force: true });
  }
}

describe.skipIf(!needs('root', 'tun'))('a bad wire between two boxes that write to each other all the time', () => {
  const pairs: Pair[] = [];
  const running = new Map<string, Promise<Outcome>>();

  /** Each pair has its faults one after another, the pairs all at once: a test waits for its own. */
  const schedule = (pair: Pair, ...faults: [name: string, run: (pair: Pair) => Promise<Outcome>][]): void => {
    let before: Promise<unknown> = Promise.resolve();
    for (const [name, run] of faults) {
      const mine = before.then(() => run(pair));
      before = mine.catch(() => undefined); // told by the test that waits for it
      running.set(name, mine);
    }
  };
  const told = async (name: string): Promise<Outcome> => {
    const outcome = await running.get(name);
    if (!outcome) throw new Error(`nothing runs under ${name}`);
    console.info(`${name}: presence right after ${outcome.again} ms, all ${outcome.messages} messages there after ${outcome.arrived} ms, seen to go ${outcome.downs} times`);
    return outcome;
  };

  beforeAll(async () => {
    for (let n = 0; n < 3; n += 1) pairs.push(await Pair.open());
    const [one, two, three] = pairs as [Pair, Pair, Pair];
    schedule(one, ['partition', (pair) => pair.through(async () => {
      await pair.wire.set({ on: false });
      await pause(30 * SECOND);
      await pair.say();
      await pause(30 * SECOND);
      await pair.wire.set({ on: true });
    })]);
    schedule(
      two,
      ['down and up', (pair) => pair.through(async () => {
        await pair.ip(2, 'link', 'set', 'wire0', 'down');
        await pause(SECOND);
        await pair.say();
        await pause(4 * SECOND);
        await pair.ip(2, 'link', 'set', 'wire0', 'up');
      })],
      ['another address', (pair) => pair.through(async () => {
        await pair.ip(2, 'addr', 'del', '10.78.0.2/24', 'dev', 'wire0');
        await pair.ip(2, 'addr', 'add', '10.78.0.42/24', 'brd', '+', 'dev', 'wire0');
      }, () => pair.sight(1).until(() => pair.sight(1).addresses.includes('10.78.0.42') && !pair.sight(1).addresses.includes('10.78.0.2'), 3 * AGAIN))],
      ['another IPv6 address', anotherIpv6Address],
      ['loss', (pair) => pair.through(async () => {
        await pair.wire.set({ loss: 0.3 });
        await pause(10 * SECOND);
        await pair.say();
        await pause(10 * SECOND);
        await pair.wire.set({ loss: 0 });
      })],
    );
    schedule(
      three,
      ['duplicates and disorder', (pair) => pair.through(async () => {
        await pair.wire.set({ duplicate: 0.3, reorder: 0.3, delay: 2, jitter: 5 });
        await pause(8 * SECOND);
        await pair.say();
        await pause(7 * SECOND);
        await pair.wire.set({ duplicate: 0, reorder: 0, delay: 0, jitter: 0 });
      })],
      ['killed', killed],
      ['dead and cut', deadAndCut],
    );
  });
  afterAll(async () => {
    await Promise.allSettled(running.values());
    await Promise.all(pairs.map((pair) => pair.close()));
  });

  it.each(['duplicates and disorder', 'down and up', 'another address', 'another IPv6 address', 'loss', 'killed', 'dead and cut', 'partition'])(
    '%s: presence is right again within 10 s, and nothing that was accepted is lost, doubled or out of order', async (name) => {
      const outcome = await told(name);
      expect(outcome.faults).toEqual([]);
      expect(outcome.again).toBeLessThanOrEqual(AGAIN);
    },
  );
  it.each(['duplicates and disorder', 'loss'])('%s: neither thinks that the other has gone', async (name) => {
    expect((await told(name)).downs).toBe(0);
  });
});

/** Where there is no IPv4, and of IPv6 what every interface has. */
async function anotherIpv6Address(pair: Pair): Promise<Outcome> {
  const before = /inet6 (fe80:[^/]*)/.exec(await pair.ip(2, '-6', 'addr', 'show', 'dev', 'wire0', 'scope', 'link'))?.[1] ?? '';
  for (const host of [1, 2] as const) await pair.ip(host, '-4', 'addr', 'flush', 'dev', 'wire0');
  await pair.sight(1).until(() => pair.sight(1).addresses.every((address) => address.startsWith(before)), 3 * AGAIN);
  const outcome = await pair.through(async () => {
    await pair.ip(2, 'addr', 'del', `${before}/64`, 'dev', 'wire0');
    await pair.ip(2, 'addr', 'add', 'fe80::42/64', 'dev', 'wire0', 'nodad');
  }, () => pair.sight(1).until(() => pair.sight(1).addresses.length > 0 && pair.sight(1).addresses.every((address) => address.startsWith('fe80::42')), 3 * AGAIN));
  for (const host of [1, 2] as const) await pair.ip(host, 'addr', 'add', `10.78.0.${host}/24`, 'brd', '+', 'dev', 'wire0');
  return outcome;
}

/** SIGKILL: the machine is still there, so the stream breaks. What had been accepted goes on when the box is back. */
async function killed(pair: Pair): Promise<Outcome> {
  const [there, back] = pair.flows();
  await pause(2 * SECOND);
  await pair.kill(2);
  const gone = await pair.sight(1).becomes(false, 3 * AGAIN);
  await back.abandon();
  await pair.start(2);
  const begin = performance.now();
  const again = Math.max(gone, await pair.see(3 * AGAIN));
  await pause(SECOND);
  await there.stop(ARRIVED);
  const faults = [...await there.faults(pair.box(2), 'flow'), ...await back.faults(pair.box(1), 'flow', pair.box(2))];
  return { again, arrived: Math.round(performance.now() - begin), messages: there.accepted.length + back.accepted.length, faults, downs: 1 };
}

/** Killed without a sound: its death is noticed within 30 s, for there was a stream. */
async function deadAndCut(pair: Pair): Promise<Outcome> {
  const [there, back] = pair.flows();
  await pause(2 * SECOND);
  await Promise.all([there.abandon(), back.stop(ARRIVED)]);
  await there.stop(ARRIVED);
  await pair.wire.set({ on: false });
  await pair.kill(2);
  const noticed = await pair.sight(1).becomes(false, 30 * SECOND);
  console.info(`a silent death was noticed after ${noticed} ms`);
  await pair.wire.set({ on: true });
  await pair.start(2);
  const begin = performance.now();
  const again = await pair.see(3 * AGAIN);
  const faults = [...await there.faults(pair.box(2), 'flow'), ...await back.faults(pair.box(1), 'flow', pair.box(2))];
  return { again, arrived: Math.round(performance.now() - begin), messages: there.accepted.length + back.accepted.length, faults, downs: 1 };
}
