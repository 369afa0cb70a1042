import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Box } from '../../src/index.ts';
import { ROOT } from '../support/root.ts';
import { shipped } from './shipped.ts';

interface NodeRed {
  init(server: Server, settings: object): void;
  start(): Promise<void>;
  stop(): Promise<void>;
  readonly httpAdmin: RequestListener;
}
/** Users by what Node-RED lets them. */
const PERMISSIONS: Readonly<Record<string, string | readonly string[]>> = { owner: '*', looks: 'read', 'looks here': ['lanpost.read'], 'changes here': ['lanpost.read', 'lanpost.write'], 'changes flows': ['flows.read', 'flows.write'] };
const require = createRequire(import.meta.url);

/** Every way in that the nodes make, as their source has it: a new one is asked for by itself. */
const ROUTES = [join(ROOT, 'nodes'), join(ROOT, 'nodes/shared')].flatMap((dir) => readdirSync(dir).filter((name) => name.endsWith('.ts')).map((name) => readFileSync(join(dir, name), 'utf8')))
  .flatMap((source) => [...source.matchAll(/httpAdmin\.(get|post|put|delete)\(\s*'([^']+)'/g)].map(([, method = '', path = '']) => ({ method: method.toUpperCase(), path: path.replace(':box', 'embedded').replaceAll(/:\w+/g, 'none') })));

let dir: string;
let box: Box;
let nodeRed: NodeRed;
let server: Server;
const tokens = new Map<string, string>();
const at = (path: string): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'lanpost-'));
  box = await (await shipped()).createBox({ dir: join(dir, 'box'), link: false, control: false });
  nodeRed = require('node-red') as NodeRed;
  server = createServer((request, response) => nodeRed.httpAdmin(request, response));
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  nodeRed.init(server, {
    uiHost: '127.0.0.1', uiPort: (server.address() as AddressInfo).port, userDir: dir, nodesDir: [ROOT], httpAdminRoot: '/', httpNodeRoot: '/api', lanpost: { box },
    adminAuth: {
      type: 'credentials',
      users: (username: string) => Promise.resolve(username in PERMISSIONS ? { username, permissions: PERMISSIONS[username] } : null),
      authenticate: (username: string, password: string) => Promise.resolve(password === 'secret' ? { username, permissions: PERMISSIONS[username] } : null),
    },
    telemetry: { enabled: false, updateNotification: false }, editorTheme: { tours: false }, logging: { console: { level: 'fatal' } },
  });
  await nodeRed.start();
  for (const username of Object.keys(PERMISSIONS)) {
    const answer = await fetch(at('/auth/token'), { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ client_id: 'node-red-admin', grant_type: 'password', scope: '', username, password: 'secret' }) });
    tokens.set(username, (await answer.json() as { access_token: string }).access_token);
  }
});

afterAll(async () => {
  await nodeRed?.stop();
  server?.closeAllConnections();
  server?.close();
  await box?.close();
  await rm(dir, { recursive: true, force: true });
});

async function asked(user: string | undefined, { method, path }: { readonly method: string; readonly path: string }): Promise<boolean> {
  const token = user === undefined ? undefined : tokens.get(user);
  const answer = await fetch(at(path), { method, headers: { 'content-type': 'application/json', ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) }, ...(method === 'POST' ? { body: '{}' } : {}) });
  const { reason } = await answer.json().catch(() => ({})) as { reason?: string };
  // Who is let in is answered by the box, whatever it says: with JSON.
  expect(answer.status === 401 || answer.status === 200 || typeof reason === 'string').toBe(true);
  return answer.status !== 401;
}

it('asks for something at all', () => {
  expect(ROUTES.length).toBeGreaterThan(10);
});

it.each(ROUTES)('$method $path: nobody without a login, who may look only what is looked at, who may change both', async (route) => {
  const isChange = route.method !== 'GET';
  const letIn: Record<string, boolean> = {};
  for (const user of [undefined, ...Object.keys(PERMISSIONS)]) letIn[user ?? 'nobody'] = await asked(user, route);
  expect(letIn).toEqual({ nobody: false, owner: true, looks: !isChange, 'looks here': !isChange, 'changes here': true, 'changes flows': false });
});
