// What Node-RED takes to start, and what it weighs, with lanpost in it.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { ROOT } from '../../support/root.ts';
import { inMiB, inMs, median, type Row } from '../figures.ts';
import { BOX } from './cost-flow.ts';
import { freePort } from './free-port.ts';

/** Seconds that a Node-RED rests before it is weighed: sooner than that, what V8 has not tidied up yet of the start weighs more than what is compared. */
const REST = 30;
const STARTS = 25;
const WEIGHED = 7;

/** What Node-RED takes to start, and weighs, without lanpost, with it installed, and with a box that is idle. */
export async function benchWeight(): Promise<Row[]> {
  const dir = mkdtempSync(join(tmpdir(), 'lanpost-bench-'));
  try {
    return await weigh(dir);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

async function weigh(dir: string): Promise<Row[]> {
  const kinds = { without: { installed: false, flow: [] }, installed: { installed: true, flow: [] }, idle: { installed: true, flow: [{ id: 'tab', type: 'tab', label: 'idle' }, BOX] } } as const;
  const measured = { without: [] as Weight[], installed: [] as Weight[], idle: [] as Weight[] };
  const names = Object.keys(kinds) as (keyof typeof kinds)[];
  const turns = async (rounds: number, of: typeof names, rest: number): Promise<void> => {
    for (const name of names) measured[name] = [];
    for (let round = 0; round < rounds; round++) {
      const started = [];
      for (const name of round % 2 === 0 ? of : of.toReversed()) started.push({ name, one: await startOnce(join(dir, name), kinds[name]) });
      await pause(rest * 1000);
      for (const { name, one } of started) measured[name].push(await one.weigh());
    }
  };
  const of = (name: keyof typeof kinds, what: keyof Weight): number => median(measured[name].map((one) => one[what]));
  const row = (what: string, name: 'installed' | 'idle', key: keyof Weight, words: (n: number) => string, most: number): Row => {
    const more = median(measured[name].map((one, i) => one[key] - (measured.without[i]?.[key] ?? Number.NaN)));
    return { what, ours: `${words(of(name, key))} (${more < 0 ? '−' : '+'}${words(Math.abs(more))})`, peer: words(of('without', key)), ratio: of(name, key) / of('without', key), target: `≤ +${words(most)}`, met: more <= most };
  };
  await turns(1, names, 0); // fills caches
  await turns(STARTS, ['without', 'installed'], 0);
  const start = [
    row("Node-RED's start with lanpost installed and no node of it used, against without it", 'installed', 'start', inMs, 150),
    row('the same in time of the processor', 'installed', 'processor', inMs, 150),
  ];
  await turns(WEIGHED, names, REST);
  return [
    ...start,
    row(`Node-RED's memory, ${REST} s after its start, with lanpost installed and no node of it used, against without it`, 'installed', 'memory', inMiB, 5),
    row(`Node-RED's memory, ${REST} s after its start, with a box configured that is idle, against without lanpost`, 'idle', 'memory', inMiB, 25),
  ];
}

/** ms, ms, MiB. */
interface Weight { readonly start: number; readonly processor: number; readonly memory: number }

interface Started { readonly weigh: () => Promise<Weight> }

/** Node-RED as people start it. */
async function startOnce(userDir: string, { installed, flow }: { readonly installed: boolean; readonly flow: readonly object[] }): Promise<Started> {
  rmSync(userDir, { recursive: true, force: true });
  mkdirSync(join(userDir, 'node_modules'), { recursive: true });
  writeFileSync(join(userDir, 'package.json'), JSON.stringify({ name: 'user', private: true, dependencies: installed ? { lanpost: '*' } : {} }));
  writeFileSync(join(userDir, 'settings.js'), "module.exports = { flowFile: 'flows.json', credentialSecret: 'bench', uiHost: '127.0.0.1', telemetry: { enabled: false } };");
  writeFileSync(join(userDir, 'flows.json'), JSON.stringify(flow));
  if (installed) symlinkSync(ROOT, join(userDir, 'node_modules/lanpost'));
  const red = join(dirname(createRequire(import.meta.url).resolve('node-red/package.json')), 'red.js');
  const begun = performance.now();
  const child = spawn(process.execPath, [red, '--userDir', userDir, '--port', String(await freePort())], { stdio: ['ignore', 'pipe', 'inherit'] });
  const closed = once(child, 'close');
  await new Promise<void>((resolve, reject) => {
    let said = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      said += text;
      if (said.includes('Started flows')) resolve();
    });
    void closed.then(() => reject(new Error(`Node-RED ended before it had started: ${said}`)));
  });
  const start = performance.now() - begun;
  // Clock ticks of 10 ms, of user and system, with all its threads.
  const [user, system] = readFileSync(`/proc/${child.pid}/stat`, 'utf8').replace(/^.*\) /, '').split(' ').slice(11, 13).map(Number);
  const processor = ((user ?? Number.NaN) + (system ?? Number.NaN)) * 10;
  return {
    async weigh() {
      const memory = Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1]) / 1024;
      child.kill('SIGTERM');
      await closed;
      return { start, processor, memory };
    },
  };
}
