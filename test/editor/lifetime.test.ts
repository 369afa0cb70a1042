import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';

interface Line { readonly url?: string; readonly closed?: boolean; readonly trouble?: { readonly kind: string; readonly message: string } }

let dir: string;
let child: ChildProcess;
let lines: Line[];
let wake: () => void;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'lanpost-'));
  lines = [];
  wake = () => undefined;
  child = spawn(process.execPath, [fileURLToPath(new URL('one-editor.mjs', import.meta.url)), dir], { stdio: ['pipe', 'pipe', 'inherit'] });
  createInterface({ input: child.stdout! }).on('line', (text) => { lines.push(JSON.parse(text) as Line); wake(); });
});

afterEach(async () => {
  if (child.exitCode === null && child.signalCode === null) {
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
  await rm(dir, { recursive: true, force: true });
});

async function line(wanted: (line: Line) => boolean): Promise<Line> {
  for (;;) {
    const found = lines.find(wanted);
    if (found) return found;
    await new Promise<void>((resolve) => { wake = resolve; });
  }
}

it('closing the editor releases everything, open WebSockets too: the process ends by itself', async () => {
  const { url = '' } = await line((l) => l.url !== undefined);
  const { port, searchParams } = new URL(url);
  const socket = request({
    host: '127.0.0.1', port, path: `/comms?token=${searchParams.get('token')}`,
    headers: { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13', 'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==' },
  });
  socket.end();
  const [, tcp] = await once(socket, 'upgrade') as [unknown, import('node:net').Socket];
  const cut = once(tcp, 'close');
  tcp.on('error', () => undefined); // a reset is as good an end as any
  child.stdin!.write('close\n');
  await line((l) => l.closed === true);
  await cut;
  const [code] = await once(child, 'exit') as [number | null];
  expect(code).toBe(0);
});

it('an error that a flow throws outside its node is reported, and the editor goes on', async () => {
  const { url = '' } = await line((l) => l.url !== undefined);
  const { origin, searchParams } = new URL(url);
  const flows = [
    { id: 'f1', type: 'tab', label: 'careless' },
    { id: 'n1', type: 'inject', z: 'f1', props: [], repeat: '', once: true, onceDelay: 0.1, wires: [['n2']] },
    { id: 'n2', type: 'function', z: 'f1', func: 'Promise.reject(new Error("nobody awaits this"));', outputs: 0, wires: [] },
  ];
  const deployed = await fetch(`${origin}/flows?token=${searchParams.get('token')}`, {
    method: 'POST', headers: { 'content-type': 'application/json', 'node-red-api-version': 'v2' }, body: JSON.stringify({ flows }),
  });
  expect(deployed.status).toBe(200);
  await line((l) => l.trouble?.kind === 'editor.stray-error' && l.trouble.message.includes('nobody awaits this'));
  child.stdin!.write('throw\n');
  await line((l) => l.trouble?.kind === 'editor.stray-error' && l.trouble.message.includes('thrown on purpose'));
  expect((await fetch(`${origin}/flows?token=${searchParams.get('token')}`)).status).toBe(200);
});
