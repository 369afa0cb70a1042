import { describe, expect, it } from 'vitest';
import { LanpostError } from '../../src/errors.ts';
import { advance, world } from './world.ts';

describe('the state of multicast DNS', () => {
  it('says for each link what was heard, from how many, and when; and what was sent', async () => {
    const { clock, box } = world();
    const a = await box('h1');
    await advance(clock, 3000);
    expect(a.mdns.state().links).toMatchObject([4, 6].map((family) => ({
      interface: 'eth0', family, state: 'joined', heard: { packets: 0, responses: 0, senders: 0 }, strayed: { packets: 0 }, unreadable: { packets: 0 }, conflicts: 0,
    })));
    expect(a.mdns.state().links[0]?.heard).not.toHaveProperty('lastAgo');
    await box('h2');
    await box('h3');
    await advance(clock, 5000);
    const [link] = a.mdns.state().links;
    expect(link?.heard).toMatchObject({ senders: 2 });
    expect(link?.heard.responses).toBeGreaterThan(2);
    expect(link?.heard.packets).toBeGreaterThan(link?.heard.responses ?? 0);
    expect(link?.heard.lastAgo).toBeLessThan(5000);
    expect(link?.sent.packets).toBe(link?.sent.echoed);
  });

  it('counts what cannot be read, and conflicts; says which name was wanted', async () => {
    const { clock, lan, box } = world();
    const a = await box('h1');
    await advance(clock, 3000);
    const b = await box('h1');
    await advance(clock, 6000);
    expect(b.mdns.state().offers).toEqual([{ instance: 'box@h1-1', wanted: 'box@h1', host: 'h1-1.local', besideAnother: false, held: ['eth0/4', 'eth0/6'] }]);
    expect(b.mdns.state().links.some(({ conflicts }) => conflicts > 0)).toBe(true);
    expect(a.mdns.state().offers).toMatchObject([{ instance: 'box@h1', wanted: 'box@h1' }]);
    lan.transmit({ segment: 'lan', family: 4, from: { address: '10.77.9.9', port: 5353 }, to: undefined, bytes: Buffer.from('rubbish') });
    await advance(clock, 500);
    expect(a.mdns.state().links[0]?.unreadable).toEqual({ packets: 1, from: '10.77.9.9' });
  });

  it('says why a link is not joined', async () => {
    const { clock, lan, box } = world();
    const host = lan.host('h1');
    host.refuse = new LanpostError('forbidden', 'not allowed to use UDP port 5353');
    const a = await box('h1', { on: host });
    await advance(clock, 500);
    expect(a.mdns.state().links).toMatchObject([4, 6].map((family) => ({ family, state: 'failed', code: 'forbidden', reason: 'not allowed to use UDP port 5353' })));
    host.refuse = undefined;
    await advance(clock, 3000);
    expect(a.mdns.state().links[0]).toMatchObject({ state: 'joined' });
    expect(a.mdns.state().links[0]).not.toHaveProperty('reason');
  });
});
