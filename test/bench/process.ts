import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { ROOT } from '../support/root.ts';
import { inMiB, inMs, inTurns, median, type Row } from './figures.ts';

const ROUNDS = 5;
const ITEMS = 100_000;
/** Seconds after it is ready; V8 tidies up what the start left behind after some ten seconds. */
const IDLE = [5, 30] as const;
const INDEX = pathToFileURL(join(ROOT, 'dist/src/index.js')).href;
const BARE = 'console.log(performance.now()); setInterval(() => {}, 1000);';
const boxProgram = (dir: string, link: boolean): string => `
  import { createBox } from ${JSON.stringify(INDEX)};
  const box = await createBox({ dir: ${JSON.stringify(dir)}, ${link ? 'link: { port: 0 }' : 'link: false'} });
  console.log(performance.now());
  process.once('SIGTERM', () => box.close().then(() => process.exit(0)));
  setInterval(() => {}, 1000);
`;
/** Every item stays in its topic's view. */
const fillProgram = (dir: string, end: string): string => `
  import { createBox } from ${JSON.stringify(INDEX)};
  const box = await createBox({ dir: ${JSON.stringify(dir)}, link: false });
  for (let i = 0; i < 10; i++) await box.topics.create('start/' + i, { maxItems: ${ITEMS} });
  for (let n = 0; n < ${ITEMS}; n += 1000) {
    await Promise.all(Array.from({ length: 1000 }, (_, i) => box.publish('start/' + i % 10, { n: n + i })));
  }
  ${end}
`;

/** Start-up with an empty log and with 100,000 items, and memory when idle, against a Node process that does nothing. */
export async function benchProcess(): Promise<Row[]> {
  const dir = mkdtempSync(join(tmpdir(), 'lanpost-bench-'));
  const closed = join(dir, 'closed');
  const killed = join(dir, 'killed');
  try {
    await once(run(fillProgram(closed, 'await box.close();')), 'close');
    await once(run(fillProgram(killed, "process.kill(process.pid, 'SIGKILL');")), 'close');

    const rows: Row[] = [];
    for (const [what, from] of [['an empty log', undefined], [`${ITEMS.toLocaleString('en')} items`, closed], [`${ITEMS.toLocaleString('en')} items, after a SIGKILL`, killed]] as const) {
      const { ours, peer, ratio } = await inTurns(ROUNDS, async () => {
        const work = join(dir, 'work');
        rmSync(work, { recursive: true, force: true });
        if (from !== undefined) cpSync(from, work, { recursive: true, filter: (path) => !path.endsWith('.sock') });
        return (await measured(boxProgram(work, false))).ready;
      }, async () => (await measured(BARE)).ready);
      rows.push({
        what: `start-up to a ready box, ${what}, against a bare node`, ours: inMs(median(ours)), peer: inMs(median(peer)), ratio,
        target: '≤ 500 ms', met: median(ours) <= 500,
      });
    }
    return [...rows, ...await idle(dir)];
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** A box in its first run, on all interfaces there are. */
async function idle(dir: string): Promise<Row[]> {
  const ours: number[][] = [];
  const peer: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    ours.push((await measured(boxProgram(join(dir, `idle-${round}`), true), IDLE)).rss);
    peer.push(...(await measured(BARE, [1])).rss);
  }
  return IDLE.map((seconds, i) => {
    const mine = median(ours.map((rss) => rss[i] ?? Number.NaN));
    return {
      what: `memory of an idle box with its link, without editor, after ${seconds} s, against a bare node`, ours: inMiB(mine), peer: inMiB(median(peer)),
      ratio: mine / median(peer), target: '≤ 62 MiB', met: mine <= 62,
    };
  });
}

function run(program: string): ReturnType<typeof spawn> {
  return spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
}

/** Milliseconds from the process's start until it says that it is ready, and its MiB so many seconds later. */
async function measured(program: string, idleFor: readonly number[] = []): Promise<{ ready: number; rss: number[] }> {
  const child = run(program);
  if (!child.stdout) throw new Error('it has no output');
  const closed = once(child, 'close');
  const [line] = await Promise.race([once(child.stdout, 'data'), closed.then(() => { throw new Error('it ended before it was ready'); })]) as [Buffer];
  const rss: number[] = [];
  let waited = 0;
  for (const seconds of idleFor) {
    await pause((seconds - waited) * 1000);
    waited = seconds;
    rss.push(Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1]) / 1024);
  }
  child.kill('SIGTERM');
  await closed;
  return { ready: Number(line.toString()), rss };
}
