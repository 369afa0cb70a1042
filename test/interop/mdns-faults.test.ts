import { setTimeout } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createLan, type Lan } from '../support/lan.ts';
import { needs } from '../support/needs.ts';
import { Agent } from './mdns-agent.ts';

const WITHIN = 10_000;
/** What is left of a minute when both have lost each other. */
const CUT = 50_000;

describe.skipIf(!needs('root'))('a link that fails silently', () => {
  let lan: Lan;
  let agents: Agent[] = [];
  beforeAll(async () => { lan = await createLan(4); });
  afterEach(async () => { await Promise.all(agents.map((one) => one.close())); });
  afterAll(() => lan.down());

  /** Boxes that know each other. */
  const start = async (...hosts: number[]): Promise<Agent[]> => {
    agents = hosts.map((host) => new Agent(lan, host));
    await Promise.all(agents.flatMap((one, index) => hosts.filter((_, other) => other !== index).map((host) => one.event('up', `box@h${host}`))));
    return agents;
  };
  /** An event that comes after those that were there at `after`. */
  const sees = async (one: Agent, kind: string, instance: string, after: number, timeout: number): Promise<void> => {
    await one.event(kind, instance, { after, timeout });
  };

  it('a minute of cut, in which both sides lose each other, is over 10 s after its end', async () => {
    const [a, b] = await start(1, 2) as [Agent, Agent];
    const marks = [a.lines.length, b.lines.length] as const;
    await lan.silentCut(2);
    // As a conversation does that gets no answer.
    a.tell({ op: 'reconfirm', instance: 'box@h2' });
    b.tell({ op: 'reconfirm', instance: 'box@h1' });
    await Promise.all([sees(a, 'down', 'box@h2', marks[0], 30_000), sees(b, 'down', 'box@h1', marks[1], 30_000)]);
    await setTimeout(CUT);
    await lan.restore(2);
    const since = performance.now();
    await Promise.all([sees(a, 'up', 'box@h2', marks[0], WITHIN), sees(b, 'up', 'box@h1', marks[1], WITHIN)]);
    const took = Math.round(performance.now() - since);
    console.info(`a silent cut: found again ${took} ms after its end`);
    expect(took).toBeLessThan(WITHIN);
  });

  it('two halves of a LAN know each other 10 s after they are joined', async () => {
    const all = await start(1, 2, 3, 4);
    const marks = all.map(({ lines }) => lines.length);
    await lan.partition([1, 2], [3, 4]);
    const others = (index: number): number[] => (index < 2 ? [3, 4] : [1, 2]);
    for (const [index, one] of all.entries()) for (const host of others(index)) one.tell({ op: 'reconfirm', instance: `box@h${host}` });
    await Promise.all(all.flatMap((one, index) => others(index).map((host) => sees(one, 'down', `box@h${host}`, marks[index] ?? 0, 30_000))));
    await lan.heal();
    const since = performance.now();
    await Promise.all(all.flatMap((one, index) => others(index).map((host) => sees(one, 'up', `box@h${host}`, marks[index] ?? 0, WITHIN))));
    const took = Math.round(performance.now() - since);
    console.info(`a partition: all found again ${took} ms after its end`);
    expect(took).toBeLessThan(WITHIN);
  });

  it('a carrier that is away for a moment: what was believed is asked for again', async () => {
    const [a, b] = await start(1, 2) as [Agent, Agent];
    const before = await b.state();
    await lan.run(1, 'sh', ['-c', 'ip link set eth0 down; ip link set eth0 up']);
    const asked = a.lines.length;
    await expect.poll(async () => (await b.state()).links?.[0]?.heard.packets ?? 0, { timeout: WITHIN, interval: 500 }).toBeGreaterThan((before.links?.[0]?.heard.packets ?? 0) + 4);
    // Wherever it is now plugged in, it must not be believed for the two minutes that the records have left.
    await expect.poll(async () => (await a.state()).up, { timeout: WITHIN, interval: 500 }).toBe(1);
    expect(a.lines.slice(asked).filter(({ event }) => event === 'renamed')).toEqual([]);
  });
});
