import { describe, expect, it } from 'vitest';
import { createTestClock } from '../../../src/clock.ts';
import { judge } from '../../../src/link/doctor/multicast.ts';
import { type Sounded, Soundings } from '../../../src/link/doctor/soundings.ts';
import type { HeardHost, SounderInit } from '../../../src/mdns/sounder.ts';
import { during } from './during.ts';

const eth0 = { name: 'eth0', addresses: [{ address: '10.0.0.1', family: 4, prefix: 24 }] } as const;

interface World {
  readonly hosts: Partial<HeardHost>[];
  /** Who answers when it is asked alone. */
  readonly alive?: readonly string[];
  /** A firewall here: the answer to the question to all comes in only from who was asked alone. */
  readonly firewall?: boolean;
}

async function listen(world: World, known: readonly string[] = [], others: readonly string[] = []): Promise<{ sounded: Sounded; asked: number; alone: string[]; took: number; closed: number }> {
  const clock = createTestClock();
  const alone: string[] = [];
  let asked = 0;
  let closed = 0;
  const hosts = world.hosts.map((given): HeardHost => ({ address: '10.0.0.2', onLink: true, multicast: 1, answersAll: false, answersUs: false, ...given }));
  const sounder = ({ interface: iface, family }: SounderInit) => ({
    open: () => Promise.resolve(),
    ask: () => {
      asked += 1;
      if (world.firewall) for (const host of hosts) if (alone.includes(host.address)) host.answersUs = true;
    },
    answers: (address: string) => {
      alone.push(address);
      return Promise.resolve(world.alive?.includes(address) ?? false);
    },
    result: () => ({ interface: iface, family, echo: true, hosts }),
    close: () => { closed += 1; },
  });
  const soundings = new Soundings({ clock, interfaces: [eth0], all: [eth0], known: () => known, others: () => Promise.resolve(others), sounder });
  await soundings.open();
  const [sounded] = await during(soundings.listen(new AbortController().signal), clock);
  if (!sounded) throw new Error('nothing was sounded');
  soundings.close();
  return { sounded, asked, alone, took: clock.mono(), closed };
}

describe('soundings', () => {
  it('are short where all is well', async () => {
    const { sounded, asked, alone, took, closed } = await listen({ hosts: [{ answersUs: true }] }, ['10.0.0.2']);
    expect([judge(sounded), asked, alone, took, closed]).toEqual(['works', 1, [], 700, 1]);
  });

  it('ask twice where nobody is there, and give the system a reason to look for the router', async () => {
    const { sounded, asked, alone, took } = await listen({ hosts: [] }, [], ['10.0.0.254']);
    expect([judge(sounded), asked, alone]).toEqual(['nobody', 2, ['10.0.0.254']]);
    expect(took).toBeLessThan(4_000);
  });

  it('ask those alone who are known or heard, once each', async () => {
    const { sounded, asked, alone } = await listen({ hosts: [{ address: '10.0.0.3' }], alive: ['10.0.0.2'] }, ['10.0.0.2']);
    expect([judge(sounded), asked, alone]).toEqual(['one-way-out', 3, ['10.0.0.2', '10.0.0.3']]);
    expect(sounded).toMatchObject({ known: ['10.0.0.2'], alive: ['10.0.0.2'] });
  });

  it('are not misled by a firewall of this machine', async () => {
    const { sounded } = await listen({ hosts: [{}], alive: ['10.0.0.2'], firewall: true });
    expect(judge(sounded)).toBe('works');
  });

  it('do not speak to who is not on the link', async () => {
    expect((await listen({ hosts: [{ address: '10.9.9.9', onLink: false }] })).alone).toEqual([]);
  });

  it('end at once when nobody wants to know any more', async () => {
    const soundings = new Soundings({ clock: createTestClock(), interfaces: [], all: [], known: () => [], others: () => Promise.resolve([]) });
    await soundings.open();
    expect(await soundings.listen(AbortSignal.abort())).toEqual([]);
    expect(await soundings.answers('eth0', '10.0.0.2', [], 1)).toBe(false);
  });
});
