import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { createBox } from '../../src/index.ts';
import { ROOT } from '../support/root.ts';
import { inMiB, inMs, inTurns, median, type Row } from './figures.ts';

const ROUNDS = 5;
const INDEX = pathToFileURL(join(ROOT, 'dist/src/index.js')).href;
const BARE = 'console.log(performance.now()); setInterval(() => {}, 1000);';
const boxProgram = (dir: string, link: boolean): string => `
  import { createBox } from ${JSON.stringify(INDEX)};
  const box = await createBox({ dir: ${JSON.stringify(dir)}, ${link ? 'link: { port: 0 }' : 'link: false'} });
  console.log(performance.now());
  process.once('SIGTERM', () => box.close().then(() => process.exit(0)));
  setInterval(() => {}, 1000);
`;

/** Start-up with an empty log and with 100,000 items, and memory when idle, against a Node process that does nothing. */
export async function benchProcess(): Promise<Row[]> {
  const dir = mkdtempSync(join(tmpdir(), 'lanpost-bench-'));
  try {
    const full = await createBox({ dir: join(dir, 'full'), link: false, control: false });
    for (let n = 0; n < 100_000; n += 1000) {
      await Promise.all(Array.from({ length: 1000 }, (_, i) => full.publish(`start/${i % 10}`, { n: n + i })));
    }
    await full.close();

    const rows: Row[] = [];
    for (const [what, name] of [['an empty log', 'empty'], ['100,000 items', 'full']] as const) {
      const { ours, peer, ratio } = await inTurns(ROUNDS,
        async (round) => (await measured(boxProgram(name === 'empty' ? join(dir, `empty-${round}`) : join(dir, name), false))).ready,
        async () => (await measured(BARE)).ready);
      rows.push({
        what: `start-up to a ready box, ${what}, against a bare node`, ours: inMs(median(ours)), peer: inMs(median(peer)), ratio,
        target: '≤ 500 ms', met: median(ours) <= 500,
      });
    }
    const idle = await inTurns(3,
      async (round) => (await measured(boxProgram(join(dir, `idle-${round}`), true), 5000)).rss,
      async () => (await measured(BARE, 1000)).rss);
    rows.push({
      what: 'memory of an idle box with its link, without editor, against a bare node', ours: inMiB(median(idle.ours)), peer: inMiB(median(idle.peer)),
      ratio: idle.ratio, target: '≤ 62 MiB', met: median(idle.ours) <= 62,
    });
    return rows;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Milliseconds from the process's start until it says that it is ready, and its MiB when it has been idle for a while. */
async function measured(program: string, idle = 0): Promise<{ ready: number; rss: number }> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
  const closed = once(child, 'close');
  const [line] = await Promise.race([once(child.stdout, 'data'), closed.then(() => { throw new Error('it ended before it was ready'); })]) as [Buffer];
  await pause(idle);
  const rss = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1];
  child.kill('SIGTERM');
  await closed;
  return { ready: Number(line.toString()), rss: Number(rss) / 1024 };
}
