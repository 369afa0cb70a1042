import { afterEach, describe, expect, it } from 'vitest';
import { createLan, type Lan } from '../support/lan.ts';
import { needs } from '../support/needs.ts';
import { Agent } from './mdns-agent.ts';

describe.skipIf(!needs('root'))('a host with several interfaces', () => {
  let lan: Lan | undefined;
  const agents: Agent[] = [];
  const agent = (on: Lan, host: number): Agent => {
    const one = new Agent(on, host);
    agents.push(one);
    return one;
  };
  afterEach(async () => {
    await Promise.all(agents.splice(0).map((one) => one.close()));
    await lan?.down();
  });

  it('of which two are on one LAN takes itself for nobody else', async () => {
    const on = lan = await createLan(2);
    await on.partition([1, 2]);
    await on.attach(1, 'eth1', 1);
    const [here, there] = [agent(on, 1), agent(on, 2)];
    await Promise.all([there.event('up', 'box@h1'), here.event('up', 'box@h2')]);
    await expect.poll(async () => (await here.state()).offers?.[0]?.held.length, { timeout: 20_000 }).toBe(3);
    const { offers, links } = await here.state();
    expect(offers).toMatchObject([{ instance: 'box@h1', host: 'h1.local', besideAnother: false }]);
    expect(links?.map(({ conflicts }) => conflicts)).toEqual([0, 0, 0]);
    expect(links?.map(({ heard: { senders } }) => senders)).toEqual([1, 1, 1]);
    expect(here.lines.filter(({ event }) => event === 'renamed')).toEqual([]);
  });

  it('hears by one that was taken away and came back at once under its name', async () => {
    const on = lan = await createLan(3);
    await on.partition([1], [2, 3]);
    await on.attach(1, 'eth1', 2);
    const here = agent(on, 1);
    agent(on, 2);
    await here.event('up', 'box@h2');
    await on.run(1, 'ip', ['link', 'del', 'eth1']);
    await on.attach(1, 'eth1', 2);
    agent(on, 3);
    expect(await here.event('up', 'box@h3', { timeout: 10_000 })).toMatchObject({ host: 'h3.local' });
  });
});
