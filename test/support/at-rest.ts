// Whole boxes on a LAN of their own that have found each other and have nothing to do.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { startBox } from './box.ts';
import { eventually } from './eventually.ts';
import { createLan, type Lan } from './lan.ts';

export interface AtRest {
  /** What each box took of one core, in percent, the least first. */
  readonly cores: readonly number[];
  /** UDP packets that a box sent in a minute, on average. */
  readonly packets: number;
}

/** Seconds of processor time that all threads of a process have had. */
const taken = (pid: number): number => readdirSync(`/proc/${pid}/task`)
  .reduce((sum, task) => sum + Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'latin1').split(' ')[0]) / 1e9, 0);

/** UDP packets that a host has sent; it has nothing but its box. */
async function sent(lan: Lan, host: number): Promise<number> {
  const [names, counts] = (await lan.run(host, 'grep', ['^Udp:', '/proc/net/snmp'])).split('\n').map((line) => line.split(' '));
  const six = /Udp6OutDatagrams\s+(\d+)/.exec(await lan.run(host, 'cat', ['/proc/net/snmp6']))?.[1];
  return Number(counts?.[names?.indexOf('OutDatagrams') ?? -1]) + Number(six);
}

/** Needs root. */
export async function boxesAtRest(count: number, seconds: number): Promise<AtRest> {
  const base = mkdtempSync(join(tmpdir(), 'lanpost-rest-'));
  const lan = await createLan(count);
  try {
    const boxes = await Promise.all(Array.from({ length: count }, (_, index) => startBox({ dir: join(base, String(index)), name: 'box', lan, host: index + 1 })));
    for (const one of boxes) {
      await using api = await one.attach();
      await eventually(async () => (await api.status()).peers === count - 1, { every: 250 });
    }
    const read = (): Promise<{ cpu: number; packets: number }[]> => Promise.all(boxes.map(async ({ child }, index) => ({ cpu: taken(child.pid ?? 0), packets: await sent(lan, index + 1) })));
    const before = await read();
    await pause(seconds * 1000);
    const after = await read();
    await Promise.all(boxes.map((one) => one.stop()));
    const since = after.map((now, index) => ({ cpu: now.cpu - (before[index]?.cpu ?? 0), packets: now.packets - (before[index]?.packets ?? 0) }));
    return {
      cores: since.map(({ cpu }) => cpu / seconds * 100).toSorted((x, y) => x - y),
      packets: since.reduce((sum, { packets }) => sum + packets, 0) / count / seconds * 60,
    };
  } finally {
    await lan.down();
    rmSync(base, { recursive: true, force: true });
  }
}
