// What the nodes cost: time through a box against time through a broker, and what Node-RED weighs with them.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { startFlows } from '../../support/flow-process.ts';
import { needs } from '../../support/needs.ts';
import { ROOT } from '../../support/root.ts';
import { inMiB, inMs, inTurns, median, quiet, type Row } from '../figures.ts';
import { BOX, costFlow, type CostPath, lanpostPath, mqttPath } from './cost-flow.ts';

const MESSAGES = 10_000;
const ROUNDS = 8;
/** Seconds that a Node-RED rests before it is weighed. */
const REST = 10;
const STARTS = 11;

/** From one function through a box and out again, against through mosquitto and out again. */
async function throughput(dir: string): Promise<Row[]> {
  if (!needs('mosquitto')) return [{ what: `${MESSAGES} messages through a box and through mosquitto`, ours: 'not measured', peer: 'apt-get install mosquitto' }];
  const userDir = join(dir, 'through');
  mkdirSync(userDir);
  const port = await freePort();
  const broker = await startMosquitto(userDir, port);
  const paths: readonly CostPath[] = [lanpostPath('lanpost'), lanpostPath('durable', { durable: true }), mqttPath(port)];
  const flows = await startFlows(userDir, costFlow(paths, MESSAGES));
  try {
    for (const { name } of paths) await flows.said.wait((line) => line['shown'] === name && line['fill'] === 'green', { timeout: 60_000 });
    const run = async (name: string): Promise<number> => {
      await quiet();
      const after = flows.said.lines.length;
      flows.tell(name);
      const { took, n } = await flows.said.wait((line) => line['path'] === name, { after, timeout: 120_000 });
      if (n !== MESSAGES - 1) throw new Error(`${name}: the last that came is not the last that was sent`);
      return Number(took);
    };
    for (const { name } of paths) await run(name); // warm
    const rows: Row[] = [];
    for (const [name, what] of [['lanpost', 'on disk'], ['durable', 'on disk, read by a durable reader']] as const) {
      const { ours, peer, ratio } = await inTurns(ROUNDS, () => run(name), () => run('mqtt'));
      rows.push({
        what: `${MESSAGES} messages from one Function, lanpost publish → lanpost subscribe (${what}), against mqtt out → mosquitto → mqtt in, QoS 1, in memory: time to the last`,
        ours: inMs(median(ours)), peer: inMs(median(peer)), ratio: 1 / ratio, target: '≥ 1.00', met: 1 / ratio >= 1,
      });
    }
    return rows;
  } finally {
    await flows.stop();
    broker.kill('SIGTERM');
  }
}

/** What Node-RED takes to start, and weighs, without lanpost, with it installed, and with a box that is idle. */
async function weight(dir: string): Promise<Row[]> {
  const kinds = { without: { installed: false, flow: [] }, installed: { installed: true, flow: [] }, idle: { installed: true, flow: [{ id: 'tab', type: 'tab', label: 'idle' }, BOX] } } as const;
  const measured = { without: [] as Weight[], installed: [] as Weight[], idle: [] as Weight[] };
  const names = Object.keys(kinds) as (keyof typeof kinds)[];
  for (let round = 0; round < STARTS + 1; round++) {
    for (const name of round % 2 === 0 ? names : names.toReversed()) {
      const one = await startOnce(join(dir, name), kinds[name]);
      if (round > 0) measured[name].push(one); // the first fills caches
    }
  }
  const of = (name: keyof typeof kinds, what: keyof Weight): number => median(measured[name].map((one) => one[what]));
  const row = (what: string, name: 'installed' | 'idle', key: keyof Weight, words: (n: number) => string, most: number): Row => {
    const more = median(measured[name].map((one, i) => one[key] - (measured.without[i]?.[key] ?? Number.NaN)));
    return { what, ours: `${words(of(name, key))} (${more < 0 ? '−' : '+'}${words(Math.abs(more))})`, peer: words(of('without', key)), ratio: of(name, key) / of('without', key), target: `≤ +${words(most)}`, met: more <= most };
  };
  return [
    row("Node-RED's start with lanpost installed and no node of it used, against without it", 'installed', 'start', inMs, 150),
    row(`Node-RED's memory, ${REST} s after its start, the same`, 'installed', 'memory', inMiB, 5),
    row(`Node-RED's memory, ${REST} s after its start, with a box configured that is idle, against without lanpost`, 'idle', 'memory', inMiB, 25),
  ];
}

/** ms, MiB. */
interface Weight { readonly start: number; readonly memory: number }

/** Node-RED as people start it. */
async function startOnce(userDir: string, { installed, flow }: { readonly installed: boolean; readonly flow: readonly object[] }): Promise<Weight> {
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
  await pause(REST * 1000);
  const memory = Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1]) / 1024;
  child.kill('SIGTERM');
  await closed;
  return { start, memory };
}

async function startMosquitto(dir: string, port: number): Promise<ReturnType<typeof spawn>> {
  const file = join(dir, 'mosquitto.conf');
  // Its default drops what more than 1000 wait for a subscriber, and Nagle's delay it leaves on.
  writeFileSync(file, [`listener ${port} 127.0.0.1`, 'allow_anonymous true', 'max_queued_messages 0', 'set_tcp_nodelay true', 'user root', ''].join('\n'));
  const child = spawn('mosquitto', ['-c', file], { stdio: ['ignore', 'ignore', 'pipe'] });
  for (let said = ''; !said.includes('running');) {
    const [text] = await Promise.race([once(child.stderr, 'data') as Promise<[Buffer]>, once(child, 'close').then(() => { throw new Error(`mosquitto did not start: ${said}`); })]);
    said += text.toString();
  }
  return child;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

export async function benchNodes(): Promise<Row[]> {
  const dir = mkdtempSync(join(tmpdir(), 'lanpost-bench-'));
  try {
    return [...await throughput(dir), ...await weight(dir)];
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
