import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readJsonLines } from '../../support/json-lines.ts';
import { createLan } from '../../support/lan.ts';
import { needs } from '../../support/needs.ts';
import { inMs, inTurns, median, perSecond, type Row } from '../figures.ts';
import { order } from '../order.ts';

const ROUNDS = 7;
const LOAD = fileURLToPath(new URL('latency-load.js', import.meta.url));
const PORT = 7777;
interface Answer { readonly perSecond: number; readonly p50: number; readonly p99: number }

/** Messages between two boxes, two processes on a private Ethernet, from `send` to `delivered`, against raw TLS with the same bytes. */
export async function benchLatency(): Promise<Row[]> {
  if (!needs('root')) return [{ what: 'messages between two boxes, against raw TLS', ours: 'not measured', peer: 'needs root' }];
  const dir = mkdtempSync(join(tmpdir(), 'lanpost-bench-'));
  const lan = await createLan(2);
  try {
    const ends = [1, 2].map((host) => {
      const child = lan.exec(host, process.execPath, [LOAD]);
      mkdirSync(join(dir, `h${host}`));
      child.stdin.write(`${JSON.stringify({
        dir: join(dir, `h${host}`), name: `box${host}`, peer: `box${3 - host}@${lan.hostName(3 - host)}`, raw: { host: lan.address(2), port: PORT, listens: host === 2 },
      })}\n`);
      return { child, said: readJsonLines<Answer>(child, `the load on h${host}`) };
    });
    await Promise.all(ends.map(({ said }) => said.wait((line) => 'ready' in line, { timeout: 30_000 })));
    const [sender] = ends;
    if (!sender) throw new Error('there is no sender');
    const run = (kind: 'message' | 'raw' | 'sync', inFlight: number, count: number): Promise<Answer> => order(sender.child, sender.said, { kind, inFlight, count });

    const p50 = async (kind: 'message' | 'sync', count: number): Promise<number> => (await run(kind, 1, count)).p50;
    for (const kind of ['message', 'sync'] as const) await run(kind, 1, 300);
    const latency = await inTurns(ROUNDS, () => p50('message', 500), () => p50('sync', 500));
    const rate = async (kind: 'message' | 'raw', count: number): Promise<number> => (await run(kind, 100, count)).perSecond;
    await rate('message', 3_000);
    await rate('raw', 10_000);
    const throughput = await inTurns(ROUNDS, () => rate('message', 6_000), () => rate('raw', 20_000));
    return [
      {
        what: 'a message between two boxes, from send to delivered, p50, against a raw TLS ping-pong of its size with an fdatasync on each side',
        ours: inMs(median(latency.ours)), peer: inMs(median(latency.peer)), ratio: latency.ratio, target: '≤ 3', met: latency.ratio <= 3,
      },
      {
        what: 'messages between two boxes, 100 in flight, delivered, against raw TLS ping-pong of their size that nobody stores',
        ours: perSecond(median(throughput.ours)), peer: perSecond(median(throughput.peer)), ratio: throughput.ratio,
      },
    ];
  } finally {
    await lan.down();
    rmSync(dir, { recursive: true, force: true });
  }
}
