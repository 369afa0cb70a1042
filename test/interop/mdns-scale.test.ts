import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createLan, type Lan } from '../support/lan.ts';
import { needs } from '../support/needs.ts';
import { Agent } from './mdns-agent.ts';

const CORE = 100;

describe.skipIf(!needs('root'))('eleven boxes at rest', () => {
  const BOXES = 11;
  const SECONDS = 45;
  let lan: Lan;
  beforeAll(async () => { lan = await createLan(BOXES); });
  afterAll(() => lan.down());

  it('take half a percent of a core each, or less, and send a few packets a minute', async () => {
    const agents = Array.from({ length: BOXES }, (_, index) => new Agent(lan, index + 1, { quiet: true }));
    for (const one of agents) await expect.poll(async () => (await one.state()).up, { timeout: 30_000, interval: 250 }).toBe(BOXES - 1);
    const read = async (): Promise<{ cpu: number; sent: number }[]> => (await Promise.all(agents.map((one) => one.state()))).map(({ cpu, links }) => ({
      cpu: ((cpu?.user ?? 0) + (cpu?.system ?? 0)) / 1e6, sent: (links ?? []).reduce((sum, link) => sum + link.sent.packets, 0),
    }));
    const before = await read();
    await setTimeout(SECONDS * 1000);
    const after = await read();
    const taken = after.map(({ cpu }, index) => (cpu - (before[index]?.cpu ?? 0)) / SECONDS * CORE).toSorted((a, b) => a - b);
    const sent = after.reduce((sum, { sent: all }, index) => sum + all - (before[index]?.sent ?? 0), 0) / BOXES / SECONDS * 60;
    console.info(`11 boxes: ${taken.at(BOXES >> 1)?.toFixed(2)} % of a core each (at most ${taken.at(-1)?.toFixed(2)}), ${sent.toFixed(1)} packets sent by each a minute`);
    expect(taken.at(BOXES >> 1)).toBeLessThan(0.5);
    expect(sent).toBeLessThan(20);
    await Promise.all(agents.map((one) => one.close()));
  }, 120_000);
});

describe.skipIf(!needs('root'))('a thousand services on a real link', () => {
  let lan: Lan;
  beforeAll(async () => { lan = await createLan(3); });
  afterAll(() => lan.down());

  it('are advertised by one box within 3 s and all found, also by a latecomer, none lost on the way', async () => {
    const early = new Agent(lan, 1, { publish: false, quiet: true });
    await early.wait(({ event }) => event === 'ready');
    const many = new Agent(lan, 2, { count: 1000, user: 'device', quiet: true });
    const { ms } = await many.wait(({ event }) => event === 'published', { timeout: 15_000 });
    expect(ms).toBeLessThan(3000);
    await expect.poll(async () => (await early.state()).up, { timeout: 6000, interval: 250 }).toBe(1000);
    const late = new Agent(lan, 3, { publish: false, quiet: true });
    await late.wait(({ event }) => event === 'ready');
    const since = Date.now();
    await expect.poll(async () => (await late.state()).up, { timeout: 10_000, interval: 100 }).toBe(1000);
    console.info(`1,000 services: published in ${ms} ms, all found by a latecomer in ${Date.now() - since} ms, RSS ${Math.round(((await late.state()).rss ?? 0) / 2 ** 20)} MiB`);
    await many.close();
    await expect.poll(async () => (await early.state()).up, { timeout: 6000, interval: 100 }).toBe(0);
    await expect.poll(async () => (await late.state()).up, { timeout: 6000, interval: 100 }).toBe(0);
    await Promise.all([early.close(), late.close()]);
  });
});
