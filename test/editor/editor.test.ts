import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { readdirSync, readFileSync } from 'node:fs';
import { request, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Box, Trouble } from '../../src/index.ts';
import type { Editor } from '../../src/editor/editor.ts';
import { shipped } from './shipped.ts';

interface Answer { readonly status: number; readonly headers: IncomingHttpHeaders; readonly body: string }

/** Of the palette, without what they all begin with. */
const names = Object.keys((JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { 'node-red': { nodes: object } })['node-red'].nodes).map((name) => name.replace('lanpost-', ''));

let dir: string;
let box: Box;
let editor: Editor;
let port: number;
let token: string;
let cookie: string;
let start: Awaited<ReturnType<typeof shipped>>['startEditor'];
const troubles: Trouble[] = [];

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'lanpost-'));
  const parts = await shipped();
  start = parts.startEditor;
  box = await parts.createBox({ dir, link: false, control: false });
  editor = await start({ box, dir, port: 0, trouble: (trouble) => void troubles.push(trouble) });
  const url = new URL(editor.url);
  port = Number(url.port);
  token = url.searchParams.get('token') ?? '';
  cookie = `lanpost-editor-${port}=${token}`;
});

afterAll(async () => {
  await editor?.close();
  await box?.close();
  await rm(dir, { recursive: true, force: true });
});

/** node:http and not fetch, which forges neither Host nor Origin. */
function get(path: string, headers: Record<string, string> = {}, body?: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const call = request({ host: '127.0.0.1', port, path, method: body === undefined ? 'GET' : 'POST', headers, agent: false }, (response) => void collect(response).then(resolve, reject));
    call.on('error', reject);
    call.end(body);
  });
}

async function collect(response: IncomingMessage): Promise<Answer> {
  let body = '';
  for await (const chunk of response) body += String(chunk);
  return { status: response.statusCode ?? 0, headers: response.headers, body };
}

const json = async (path: string): Promise<unknown> => JSON.parse((await get(path, { cookie, accept: 'application/json' })).body);

/** The status line of an attempt to open a WebSocket. */
function upgrade(path: string, headers: Record<string, string>): Promise<number> {
  return new Promise((resolve, reject) => {
    const call = request({
      host: '127.0.0.1', port, path, agent: false,
      headers: { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13', 'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==', ...headers },
    });
    call.on('upgrade', (response, socket) => { socket.destroy(); resolve(response.statusCode ?? 0); });
    call.on('response', (response) => { response.resume(); resolve(response.statusCode ?? 0); });
    call.on('error', reject);
    call.end();
  });
}

describe('who may come in', () => {
  it('the printed URL becomes a cookie, and the cookie opens the editor', async () => {
    const entered = await get(`/?token=${token}`, { accept: 'text/html' });
    expect(entered.status).toBe(200);
    expect(entered.body).not.toContain(token);
    expect(entered.headers['set-cookie']?.[0]).toMatch(/; HttpOnly; SameSite=Strict/);
    const editorPage = await get('/', { cookie: entered.headers['set-cookie']?.[0]?.split(';')[0] ?? '' });
    expect(editorPage.status).toBe(200);
    expect(editorPage.body).toContain('<title>lanpost</title>');
  });

  it('without it, one line says what to do', async () => {
    for (const path of ['/', '/flows', '/settings', '/api/x', '/?token=wrong']) {
      const answer = await get(path, { accept: 'text/html' });
      expect(answer.status).toBe(401);
      expect(answer.body).toMatch(/^[^\n]*URL printed by `lanpost start`[^\n]*\n$/);
    }
  });

  it('a forged Host is refused, for every path, with and without the cookie', async () => {
    for (const host of ['evil.example', `evil.example:${port}`, '127.0.0.1:1', 'localhost']) {
      expect((await get('/', { host, cookie })).status).toBe(403);
      expect((await get('/flows', { host, cookie }, '[]')).status).toBe(403);
      expect((await get(`/?token=${token}`, { host })).status).toBe(403);
    }
    expect((await get('/flows', { host: `localhost:${port}`, cookie })).status).toBe(200);
  });

  it('a forged Origin is refused, and changes nothing', async () => {
    const before = (await get('/flows', { cookie })).body;
    for (const origin of ['http://evil.example', 'null', `https://127.0.0.1:${port}`, 'http://127.0.0.1:1']) {
      expect((await get('/flows', { origin, cookie })).status).toBe(403);
      expect((await get('/flows', { origin, cookie, 'content-type': 'application/json' }, '[]')).status).toBe(403);
    }
    expect((await get('/flows', { cookie, origin: `http://127.0.0.1:${port}` })).body).toBe(before);
  });

  it('the WebSocket has the same door', async () => {
    const origin = `http://127.0.0.1:${port}`;
    expect(await upgrade('/comms', {})).toBe(401);
    expect(await upgrade('/comms', { cookie, host: 'evil.example' })).toBe(403);
    expect(await upgrade('/comms', { cookie, host: `evil.example:${port}`, origin: `http://evil.example:${port}` })).toBe(403);
    expect(await upgrade('/comms', { cookie, origin: 'http://evil.example' })).toBe(403);
    expect(await upgrade('/comms', { cookie, origin: 'null' })).toBe(403);
    expect(await upgrade('/comms', { origin })).toBe(401);
    expect(await upgrade('/comms', { cookie, origin })).toBe(101);
  });

  it('listens on loopback alone', async () => {
    const failed = await new Promise<string | undefined>((resolve) => {
      const socket = connect({ host: '127.0.0.2', port });
      socket.on('connect', () => { socket.destroy(); resolve(undefined); });
      socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code));
    });
    expect(failed).toBe('ECONNREFUSED');
  });

  it('a port in use is told at once, in one line', async () => {
    await expect(start({ box, dir, port })).rejects.toMatchObject({ name: 'LanpostError', code: 'in-use', message: expect.stringMatching(new RegExp(`^port ${port} is in use: [^\\n]+$`)) });
  });
});

describe('what is embedded', () => {
  it('reports the version of Node-RED', () => {
    expect(editor.version).toMatch(/^[45]\.\d+\.\d+$/);
  });

  it('asks nobody outside and installs nothing', async () => {
    expect(await json('/settings')).toMatchObject({
      telemetryEnabled: false,
      lanpostBoxEmbedded: true,
      externalModules: { autoInstall: false, palette: { allowInstall: false }, modules: { allowInstall: false } },
      editorTheme: { tours: false },
    });
  });

  it('has the nodes of this package, without errors', async () => {
    const manifest = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string; 'node-red': { nodes: Record<string, string> } };
    const sets = (await json('/nodes') as { module: string; version: string; types: string[]; enabled: boolean; err?: string }[]).filter((set) => set.module === 'lanpost');
    expect(sets.flatMap((set) => set.types).toSorted()).toEqual(Object.keys(manifest['node-red'].nodes).map((name) => name.replaceAll('-', ' ')).toSorted());
    for (const set of sets) {
      expect(set).toMatchObject({ enabled: true, version: manifest.version });
      expect(set.err).toBeUndefined();
    }
  });

  it.each(names)('serves page, help, words and icon of lanpost-%s', async (name) => {
    const page = (await get(`/nodes/lanpost/lanpost-${name}`, { cookie, accept: 'text/html', 'accept-language': 'en-US' })).body;
    const type = `lanpost ${name.replaceAll('-', ' ')}`;
    expect(page).toContain(`data-template-name="${type}"`);
    expect(page).toContain(`data-help-name="${type}"`);
    const catalogues = await json(`/nodes/lanpost/lanpost-${name}/messages?lng=en-US`) as Record<string, Record<string, unknown>>;
    const catalogue = catalogues[`lanpost-${name}`] ?? {};
    const missing: string[] = [];
    for (const [, key = ''] of page.matchAll(/data-i18n="(?:\[\w+\])?lanpost-[\w-]+?\.([\w.]+)"/g)) {
      const words = key.split('.').reduce<unknown>((value, part) => (value as Record<string, unknown> | undefined)?.[part], catalogue);
      if (typeof words !== 'string') missing.push(key);
    }
    expect(missing).toEqual([]);
    for (const [, icon] of page.matchAll(/icon: '([^']+)'/g)) {
      expect((await get(`/icons/lanpost/${icon}`, { cookie })).headers['content-type']).toContain('svg');
    }
  });

  it('offers the example flows, and no stray file', async () => {
    const entries = await json('/library/examples/flows/lanpost/node-red') as { fn: string }[];
    expect(entries.map((entry) => entry.fn).toSorted()).toEqual(readdirSync(new URL('../../examples/node-red/', import.meta.url)).map((file) => file.replace('.json', '')).toSorted());
    expect(await json('/library/examples/flows/lanpost')).toEqual(['node-red']);
  });

  it('began with the starter flow, keeps its secrets to itself, and warned of nothing', async () => {
    expect(JSON.stringify(await json('/flows'))).toContain('pretend sensor');
    for (const file of ['node-red/credential-secret', 'web/token']) expect((await stat(join(dir, file))).mode & 0o777).toBe(0o600);
    expect((await stat(join(dir, 'node-red'))).mode & 0o777).toBe(0o700);
    expect(troubles).toEqual([]);
  });
});
