// What the nodes cost: time through a box against time through a broker.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startFlows } from '../../support/flow-process.ts';
import { needs } from '../../support/needs.ts';
import { inMs, inTurns, median, quiet, type Row } from '../figures.ts';
import { costFlow, type CostPath, lanpostPath, mqttPath } from './cost-flow.ts';
import { freePort } from './free-port.ts';

const MESSAGES = 10_000;
const ROUNDS = 12;

export async function benchNodes(): Promise<Row[]> {
  if (!needs('mosquitto')) return [{ what: `${MESSAGES} messages through a box and through mosquitto`, ours: 'not measured', peer: 'apt-get install mosquitto' }];
  const dir = mkdtempSync(join(tmpdir(), 'lanpost-bench-'));
  try {
    return await throughput(dir);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** From one function through a box and out again, against through mosquitto and out again. */
async function throughput(dir: string): Promise<Row[]> {
  const port = await freePort();
  const broker = await startMosquitto(dir, port);
  const paths: readonly CostPath[] = [lanpostPath('lanpost'), lanpostPath('durable', { durable: true }), mqttPath(port)];
  const flows = await startFlows(dir, costFlow(paths, MESSAGES));
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
