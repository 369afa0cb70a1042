import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { request, type IncomingHttpHeaders } from 'node:http';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MOST_CONNECTIONS } from '../../src/front/connections.ts';
import { openFront, type Front, type FrontOptions } from '../../src/front/front.ts';
import { Password } from '../../src/front/password.ts';

interface Answer { readonly status: number; readonly headers: IncomingHttpHeaders; readonly body: string }

let dir: string;
let front: Front;
let time = 0;

beforeEach(async () => {
  time = 0;
  dir = await mkdtemp(join(tmpdir(), 'lanpost-front-'));
});
afterEach(async () => {
  await front?.close();
  await rm(dir, { recursive: true, force: true });
});

async function open(options: Partial<FrontOptions> = {}): Promise<void> {
  front = await openFront({ dir, port: 0, now: () => time, ...options });
  front.mount('/status', (asked, response, { session }) => response.end(`status ${asked.url} ${session}`));
  front.serve((asked, response) => response.end(`rest ${asked.url}`));
}

/** As from another machine: by its own address, without the token. */
function ask(path: string, headers: Record<string, string> = {}, body?: string, method = body === undefined ? 'GET' : 'POST'): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const call = request({ host: '127.0.0.1', port: front.port, path, method, headers, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => { text += chunk; }).on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }));
    });
    call.on('error', reject);
    call.end(body);
  });
}

const origin = (): string => `http://127.0.0.1:${front.port}`;
const give = (password: string, next = '/status/'): Promise<Answer> =>
  ask('/lanpost/login', { origin: origin(), 'content-type': 'application/x-www-form-urlencoded' }, new URLSearchParams({ password, next }).toString());
const cookieIn = (answer: Answer): string => answer.headers['set-cookie']?.[0]?.split(';')[0] ?? '';

describe('what is served', () => {
  it('is mounted by path, the rest goes to whoever has the rest; nobody without the key sees either', async () => {
    await open();
    const { pathname, search } = new URL(front.url('/status/'));
    expect(`${pathname}${search}`).toMatch(/^\/status\/\?token=[\w-]{43}$/);
    expect((await ask(`/status/x${search}`)).body).toBe('status /status/x false');
    expect((await ask(`/status${search}`)).body).toBe('status /status false');
    expect((await ask(`/statusx${search}`)).body).toBe('rest /statusx');
    expect((await ask(`/rest${search}`)).headers['content-security-policy']).toBe("frame-ancestors 'self'");
    expect((await ask('/status/')).status).toBe(401);
    expect((await ask(`/status/${search}`, { host: 'evil.example' })).status).toBe(403);
    for (const file of ['token', 'metrics-token']) expect((await stat(join(dir, 'web', file))).mode & 0o777).toBe(0o600);
  });

  it('has the same key after a restart', async () => {
    await open();
    const { search } = new URL(front.url('/'));
    await front.close();
    await open();
    expect(new URL(front.url('/')).search).toBe(search);
  });

  it('holds a bounded number of connections, and is there again when they are gone', async () => {
    await open();
    const sockets = Array.from({ length: MOST_CONNECTIONS + 20 }, () => connect(front.port, '127.0.0.1').on('error', () => undefined));
    const cut = new Set<Socket>();
    for (const socket of sockets) socket.on('close', () => cut.add(socket)).resume();
    await expect.poll(() => cut.size, { timeout: 20_000 }).toBe(20);
    for (const socket of sockets) socket.destroy();
    await expect.poll(() => ask('/').then(({ status }) => status, () => 0), { timeout: 20_000 }).toBe(401);
  });

  it('the key for numbers opens nothing else', async () => {
    await open();
    front.mount('/metrics', (asked, response) => response.end(`numbers ${asked.url}`));
    const authorization = `Bearer ${(await readFile(join(dir, 'web', 'metrics-token'), 'utf8')).trim()}`;
    expect((await ask('/metrics', { authorization })).body).toBe('numbers /metrics');
    expect((await ask('/status/', { authorization })).status).toBe(401);
  });
});

describe('beyond this machine', () => {
  it('nothing is opened without a password, and it is said what to do', async () => {
    await expect(openFront({ dir, port: 0, host: '0.0.0.0' })).rejects.toMatchObject({ code: 'forbidden', message: expect.stringMatching(/^--editor-host [^\n]*see `lanpost editor passwd`$/) });
  });

  it('an address that this machine does not have is told in one line', async () => {
    await new Password(dir).set('long enough');
    await expect(openFront({ dir, port: 0, host: '192.0.2.77' })).rejects.toMatchObject({ code: 'not-found', message: expect.stringMatching(/^this machine has no address 192\.0\.2\.77: [^\n]+$/) });
  });

  it('the printed address is the one on this machine, with the key; of an address beyond it, without', async () => {
    await new Password(dir).set('long enough');
    await open({ host: '0.0.0.0' });
    expect(front.url('/')).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/\?token=/);
  });
});

describe('the login', () => {
  beforeEach(async () => { await new Password(dir).set('correct horse'); });

  it('is asked for, and leads to where one was going', async () => {
    await open();
    const asked = await ask('/status/?a=1', { accept: 'text/html' });
    expect(asked.status).toBe(401);
    expect(asked.body).toContain('name="next" value="/status/?a=1"');
    expect(asked.headers['content-security-policy']).toMatch(/^default-src 'none'; img-src data:; style-src 'nonce-/);
    const entered = await give('correct horse', '/status/?a=1');
    expect(entered).toMatchObject({ status: 303, headers: { location: '/status/?a=1' } });
    expect(entered.headers['set-cookie']?.[0]).toMatch(/^lanpost-session-\d+=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict; Max-Age=\d+$/);
    expect((await ask('/status/', { cookie: cookieIn(entered) })).body).toBe('status /status/ true');
    expect((await ask('/', { cookie: cookieIn(entered) })).body).toBe('rest /');
  });

  it('leads nowhere else, and shows what it was given as text', async () => {
    await open();
    for (const next of ['//evil.example/', '\u0001/evil.example', '/\u0001/evil.example', '\\\u0001//evil.example', String.raw`/\evil.example`, 'https://evil.example', '/a\r\nset-cookie: x=1']) {
      const { headers } = await give('correct horse', next);
      expect(headers.location).toMatch(/^\/(?![/\\])/);
      expect(headers['set-cookie']).toHaveLength(1);
    }
    expect((await ask('/"><script>alert(1)</script>', { accept: 'text/html' })).body).not.toContain('<script');
  });

  it('refuses what is wrong, what is too long, what another page sends; and says so', async () => {
    await open();
    expect(await give('wrong')).toMatchObject({ status: 403, body: expect.stringContaining('That is not the password.') });
    expect((await give('x'.repeat(10_000))).status).toBe(413);
    expect((await ask('/lanpost/login', { origin: 'http://evil.example' }, 'password=correct+horse')).status).toBe(403);
    expect((await ask('/lanpost/login', {}, 'password=correct+horse')).status).toBe(401);
  });

  it('makes who guesses wait, right or wrong, however many at once', async () => {
    await open();
    const answers = await Promise.all(Array.from({ length: 8 }, () => give('wrong')));
    expect([403, 429].map((wanted) => answers.filter(({ status }) => status === wanted).length)).toEqual([5, 3]);
    const held = await give('correct horse');
    expect(held.status).toBe(429);
    expect(Number(held.headers['retry-after'])).toBeGreaterThan(0);
    time += 2000;
    expect((await give('correct horse')).status).toBe(303);
  });

  it('ends by signing out, and by a new password, open connections too', async () => {
    await open();
    const cookie = cookieIn(await give('correct horse'));
    expect((await ask('/lanpost/logout', { cookie }, '')).body).toBe('rest /lanpost/logout'); // no page of ours asked for it
    expect((await ask('/lanpost/logout', { cookie, origin: origin() }, '')).status).toBe(303);
    expect((await ask('/', { cookie })).status).toBe(401);

    const again = cookieIn(await give('correct horse'));
    front.mount('/stream', (_, response) => { response.write('open'); });
    const cut = new Promise<string>((resolve) => {
      const call = request({ host: '127.0.0.1', port: front.port, path: '/stream', headers: { cookie: again }, agent: false }, (response) => {
        response.on('data', () => { void new Password(dir).set('battery staple'); });
        response.on('error', () => resolve('cut'));
      });
      call.end();
    });
    expect(await cut).toBe('cut');
    expect((await ask('/', { cookie: again })).status).toBe(401);
  });

  it('ends what is open on a connection, too, on which something else was asked since', async () => {
    await open();
    const cookie = cookieIn(await give('correct horse'));
    front.mount('/stream', (_, response) => { response.write('open'); });
    const socket = connect(front.port, '127.0.0.1');
    const asked = (path: string, more = ''): void => void socket.write(`GET ${path} HTTP/1.1\r\nhost: 127.0.0.1:${front.port}\r\n${more}\r\n`);
    asked('/stream', `cookie: ${cookie}\r\n`);
    await once(socket, 'data');
    asked('/metrics');
    expect((await ask('/', { cookie })).status).toBe(200); // it has come there by now
    const closed = once(socket, 'close');
    await new Password(dir).set('battery staple');
    await closed;
  });

  it('that cannot be read lets nobody in, and the box goes on', async () => {
    await open();
    const cookie = cookieIn(await give('correct horse'));
    await rm(join(dir, 'web', 'password'));
    await mkdir(join(dir, 'web', 'password'));
    expect((await ask('/', { cookie })).status).toBe(401);
    expect((await give('correct horse')).status).toBe(401);
  });
});
