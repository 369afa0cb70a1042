import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

type Program = ChildProcessByStdio<null, Readable, null>;
const at = (path: string): string => fileURLToPath(new URL(`../../examples/${path}`, import.meta.url));
const running: Program[] = [];
let dir: string;

beforeEach(async () => { dir = await mkdtemp(join(tmpdir(), 'lanpost-')); });
afterEach(async () => {
  for (const program of running.splice(0)) await stop(program, 'SIGKILL');
  await rm(dir, { recursive: true, force: true });
});

function run(...words: string[]): { program: Program; lines: AsyncIterator<string> } {
  const program = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'inherit'] });
  running.push(program);
  const lines: Interface = createInterface({ input: program.stdout });
  return { program, lines: lines[Symbol.asyncIterator]() };
}

async function stop(program: Program, signal: NodeJS.Signals): Promise<number | null> {
  if (program.exitCode === null && program.signalCode === null) {
    program.kill(signal);
    await once(program, 'exit');
  }
  return program.exitCode;
}

async function until(lines: AsyncIterator<string>, wanted: RegExp): Promise<string> {
  for (;;) {
    const { value, done } = await lines.next();
    if (done) throw new Error(`the program ended before it printed ${wanted}`);
    if (wanted.test(value)) return value;
  }
}

describe('the example programs', () => {
  it('one publishes, the other follows and goes on where it stopped; Ctrl-C ends both cleanly', async () => {
    const sensor = run(at('sensor.mjs'), dir);
    await until(sensor.lines, /°C$/);
    const first = run(at('follow.mjs'), 'hall/#', dir);
    await until(first.lines, /hall\/temperature \{ value: [\d.]+, unit: 'Cel' \}/);
    expect(await stop(first.program, 'SIGINT')).toBe(0);
    const second = run(at('follow.mjs'), 'hall/#', dir);
    await until(second.lines, /hall\/temperature \{/);
    expect(await stop(second.program, 'SIGINT')).toBe(0);
    expect(await stop(sensor.program, 'SIGINT')).toBe(0);
  });
});

describe('the example flows', () => {
  it('are complete: every wire leads to a node, every box is there, and no id is used twice', async () => {
    for (const file of await readdir(at('node-red'))) {
      const nodes = JSON.parse(await readFile(at(`node-red/${file}`), 'utf8')) as { id: string; type: string; box?: string; wires?: string[][]; scope?: string[] }[];
      const ids = nodes.map((node) => node.id);
      expect(new Set(ids).size).toBe(ids.length);
      const boxes = new Set(nodes.filter((node) => node.type === 'lanpost box').map((node) => node.id));
      for (const node of nodes) {
        expect([...(node.wires ?? []).flat(), ...(node.scope ?? [])].filter((id) => !ids.includes(id))).toEqual([]);
      }
      // Those go by what the message says of itself.
      const boxless = ['lanpost box', 'lanpost command out', 'lanpost ack'];
      const users = nodes.filter((node) => node.type.startsWith('lanpost ') && !boxless.includes(node.type));
      expect(users.filter((node) => !boxes.has(node.box ?? ''))).toEqual([]);
    }
  });

  it('are the only JSON under examples/, which Node-RED offers for import', async () => {
    expect((await readdir(at('.'), { recursive: true })).filter((path) => path.endsWith('.json') && !path.startsWith('node-red/'))).toEqual([]);
  });
});
