import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { boxesAtRest } from '../support/at-rest.ts';
import { createLan, type Lan } from '../support/lan.ts';
import { needs } from '../support/needs.ts';
import { Agent } from './mdns-agent.ts';

describe.skipIf(!needs('root'))('eleven whole boxes at rest', () => {
  // What they take of a processor is the bench's to measure (`npm run bench rest`): beside other tests it says more of those.
  it('find each other, and send a few packets a minute', async () => {
    const { packets } = await boxesAtRest(11, 45);
    console.info(`11 boxes: ${packets.toFixed(1)} packets sent by each a minute`);
    expect(packets).toBeLessThan(20);
  });
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
