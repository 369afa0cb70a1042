import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startBox } from '../support/box.ts';
import { createLan, type Lan } from '../support/lan.ts';
import { needs } from '../support/needs.ts';
import { Agent } from './mdns-agent.ts';

const CORE = 100;

describe.skipIf(!needs('root'))('eleven whole boxes at rest', () => {
  const BOXES = 11;
  const SECONDS = 45;
  const base = mkdtempSync(join(tmpdir(), 'lanpost-rest-'));
  let lan: Lan;
  beforeAll(async () => { lan = await createLan(BOXES); });
  afterAll(async () => {
    await lan.down();
    rmSync(base, { recursive: true, force: true });
  });

  /** Seconds of processor time that all threads of a process have had. */
  const taken = (pid: number): number => readdirSync(`/proc/${pid}/task`)
    .reduce((sum, task) => sum + Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'latin1').split(' ')[0]) / 1e9, 0);
  /** UDP packets that a host has sent; it has nothing but its box. */
  const sent = async (host: number): Promise<number> => {
    const [names, counts] = (await lan.run(host, 'grep', ['^Udp:', '/proc/net/snmp'])).split('\n').map((line) => line.split(' '));
    const six = /Udp6OutDatagrams\s+(\d+)/.exec(await lan.run(host, 'cat', ['/proc/net/snmp6']))?.[1];
    return Number(counts?.[names?.indexOf('OutDatagrams') ?? -1]) + Number(six);
  };

  it('take half a percent of a core each, or less, and send a few packets a minute', async () => {
    const boxes = await Promise.all(Array.from({ length: BOXES }, (_, index) => startBox({ dir: join(base, String(index)), name: 'box', lan, host: index + 1 })));
    const read = async (): Promise<{ cpu: number; packets: number }[]> => Promise.all(boxes.map(async ({ child }, index) => ({ cpu: taken(child.pid ?? 0), packets: await sent(index + 1) })));
    for (const one of boxes) {
      const api = await one.attach();
      await expect.poll(async () => (await api.status()).peers, { timeout: 30_000, interval: 250 }).toBe(BOXES - 1);
      await api.close();
    }
    const before = await read();
    await setTimeout(SECONDS * 1000);
    const after = await read();
    const cpu = after.map((now, index) => (now.cpu - (before[index]?.cpu ?? 0)) / SECONDS * CORE).toSorted((x, y) => x - y);
    const packets = after.reduce((sum, now, index) => sum + now.packets - (before[index]?.packets ?? 0), 0) / BOXES / SECONDS * 60;
    console.info(`11 boxes: ${cpu.at(BOXES >> 1)?.toFixed(2)} % of a core each (at most ${cpu.at(-1)?.toFixed(2)}), ${packets.toFixed(1)} packets sent by each a minute`);
    expect(cpu.at(BOXES >> 1)).toBeGreaterThan(0);
    expect(cpu.at(BOXES >> 1)).toBeLessThanOrEqual(0.5);
    expect(packets).toBeLessThan(20);
    await Promise.all(boxes.map((one) => one.stop()));
  }, 120_000);
});

describe.skipIf(!needs('root'))('a thousand services on a real link', () => {
  let lan: Lan;
  beforeAll(async () => { lan = await createLan(3); });
  afterAll(() => lan.down());

  it('are advertised by one box and all found, also by a latecomer, none lost on the way', async () => {
    const early = new Agent(lan, 1, { publish: false, quiet: true });
    await early.wait(({ event }) => event === 'ready');
    const many = new Agent(lan, 2, { count: 1000, user: 'device', quiet: true });
    const { ms } = await many.wait(({ event }) => event === 'published');
    await expect.poll(async () => (await early.state()).up, { interval: 250 }).toBe(1000);
    const late = new Agent(lan, 3, { publish: false, quiet: true });
    await late.wait(({ event }) => event === 'ready');
    const since = Date.now();
    await expect.poll(async () => (await late.state()).up, { interval: 100 }).toBe(1000);
    console.info(`1,000 services: published in ${ms} ms, all found by a latecomer in ${Date.now() - since} ms, RSS ${Math.round(((await late.state()).rss ?? 0) / 2 ** 20)} MiB`);
    await many.close();
    await expect.poll(async () => (await early.state()).up, { interval: 100 }).toBe(0);
    await expect.poll(async () => (await late.state()).up, { interval: 100 }).toBe(0);
    await Promise.all([early.close(), late.close()]);
  });
});
