import { describe, expect, it } from 'vitest';
import { createDoor, type Verdict } from '../../src/front/door.ts';

const TOKEN = 'a-token-that-nobody-guesses-0123456789';
const METRICS_TOKEN = 'another-token-for-numbers-alone-0123456789';
const door = createDoor({ token: TOKEN, metricsToken: METRICS_TOKEN, port: 1880, host: '127.0.0.1' });
const COOKIE = `lanpost-editor-1880=${TOKEN}`;

function ask(headers: Record<string, string>, url = '/', method = 'GET'): Verdict {
  return door.check({ method, url, headers: { host: '127.0.0.1:1880', ...headers } }, '127.0.0.1');
}
const statusOf = (verdict: Verdict): number => (verdict.kind === 'refuse' ? verdict.status : 200);

describe('the door of the editor', () => {
  it.each(['127.0.0.1:1880', 'localhost:1880', 'LOCALHOST:1880', '[::1]:1880'])('lets the Host %s through', (host) => {
    expect(ask({ host, cookie: COOKIE }).kind).toBe('pass');
  });

  it.each(['evil.example', 'evil.example:1880', '127.0.0.1', '127.0.0.1:1881', 'localhost', '127.0.0.1:1880.evil.example', '127.0.0.1:1880@evil.example', ''])('refuses the Host "%s", cookie or not', (host) => {
    expect(statusOf(ask({ host, cookie: COOKIE }))).toBe(403);
    expect(statusOf(ask({ host }, `/?token=${TOKEN}`))).toBe(403);
  });

  it('refuses a request without a Host', () => {
    expect(statusOf(door.check({ method: 'GET', url: '/', headers: { cookie: COOKIE } }, '127.0.0.1'))).toBe(403);
  });

  it.each(['http://127.0.0.1:1880', 'http://localhost:1880', 'http://[::1]:1880'])('lets the Origin %s through', (origin) => {
    expect(ask({ origin, cookie: COOKIE }).kind).toBe('pass');
  });

  it.each(['http://evil.example', 'null', '', 'https://127.0.0.1:1880', 'http://127.0.0.1:1881', 'http://127.0.0.1', 'http://127.0.0.1:1880.evil.example'])('refuses the Origin "%s"', (origin) => {
    expect(statusOf(ask({ origin, cookie: COOKIE }))).toBe(403);
  });

  it.each(['', 'lanpost-editor-1880=', `lanpost-editor-1880=${TOKEN}x`, `lanpost-editor-1881=${TOKEN}`, `x=1; xlanpost-editor-1880=${TOKEN}`, TOKEN])('answers 401 to the cookie "%s" and says what to do', (cookie) => {
    expect(ask({ cookie })).toMatchObject({ kind: 'refuse', status: 401, reason: expect.stringMatching(/^[^\n]*URL printed by `lanpost start`[^\n]*$/) });
  });

  it('finds its cookie among others', () => {
    expect(ask({ cookie: `a=b; ${COOKIE}; c=d` }).kind).toBe('pass');
  });

  it('turns the token in the address into a cookie that no other site can use', () => {
    const verdict = ask({ accept: 'text/html,*/*' }, `/?token=${TOKEN}&a=1`);
    expect(verdict).toMatchObject({ kind: 'enter', location: '/?a=1' });
    const cookie = verdict.kind === 'enter' ? verdict.cookie.split('; ') : [];
    expect(cookie).toEqual(expect.arrayContaining([COOKIE, 'Path=/', 'HttpOnly', 'SameSite=Strict']));
  });

  it.each(['//evil.example/', '/\\evil.example/', '///evil.example'])('sends nobody on to another host (%s)', (path) => {
    expect(ask({ accept: 'text/html' }, `${path}?token=${TOKEN}`)).toMatchObject({ kind: 'enter', location: expect.stringMatching(/^\/evil/) });
  });

  it('lets a program through that gives the token, and takes the token out of the address', () => {
    expect(ask({ accept: 'application/json' }, `/flows?token=${TOKEN}`)).toEqual({ kind: 'pass', url: '/flows' });
    expect(ask({}, `/flows?token=${TOKEN}&x=1`, 'POST')).toEqual({ kind: 'pass', url: '/flows?x=1' });
  });

  it('refuses a wrong token, and leaves a flow its own parameter of that name', () => {
    expect(statusOf(ask({}, '/?token=wrong'))).toBe(401);
    expect(ask({ cookie: COOKIE }, '/api/hook?token=mine')).toEqual({ kind: 'pass', url: '/api/hook?token=mine' });
  });

  it('takes the token as a bearer, too', () => {
    expect(ask({ authorization: `Bearer ${TOKEN}` }, '/flows')).toEqual({ kind: 'pass', url: '/flows' });
    expect(statusOf(ask({ authorization: `Bearer ${TOKEN}x` }, '/flows'))).toBe(401);
    expect(statusOf(ask({ authorization: `Basic ${TOKEN}` }, '/flows'))).toBe(401);
  });

  it('opens /metrics, for reading, to the key of that alone', () => {
    const bearer = { authorization: `Bearer ${METRICS_TOKEN}` };
    expect(ask(bearer, '/metrics')).toEqual({ kind: 'pass', url: '/metrics' });
    expect(ask({}, `/metrics?token=${METRICS_TOKEN}`)).toEqual({ kind: 'pass', url: '/metrics' });
    for (const path of ['/', '/flows', '/metrics/', '/metrics/../flows', '/status/']) expect(statusOf(ask(bearer, path))).toBe(401);
    expect(statusOf(ask(bearer, '/metrics', 'POST'))).toBe(401);
    expect(statusOf(ask({ ...bearer, host: 'evil.example:1880' }, '/metrics'))).toBe(403);
  });

  it('knows nothing of passwords: a form of another program is turned away', () => {
    expect(statusOf(ask({ origin: 'http://127.0.0.1:1880' }, '/lanpost/login', 'POST'))).toBe(401);
  });
});

describe('the door of what is reached beyond this machine', () => {
  const SESSION = 'a-session';
  const sessions = { open: true, has: (id: string) => id === SESSION };
  const wide = createDoor({ token: TOKEN, metricsToken: METRICS_TOKEN, port: 1880, host: '0.0.0.0', sessions });
  const far = (headers: Record<string, string>, url = '/', method = 'GET', from = '192.0.2.9'): Verdict =>
    wide.check({ method, url, headers: { host: '192.0.2.1:1880', ...headers } }, from);
  const session = { cookie: `lanpost-session-1880=${SESSION}` };

  it('lets a session through, and asks a browser without one for the password', () => {
    expect(far(session, '/flows')).toEqual({ kind: 'pass', url: '/flows', session: SESSION });
    expect(far({ accept: 'text/html' })).toEqual({ kind: 'login' });
    expect(statusOf(far({}, '/flows'))).toBe(401);
    expect(statusOf(far({ cookie: 'lanpost-session-1880=other' }, '/flows'))).toBe(401);
  });

  it('takes neither token nor its cookie from another machine', () => {
    expect(statusOf(far({}, `/?token=${TOKEN}`))).toBe(401);
    expect(statusOf(far({ cookie: COOKIE }))).toBe(401);
    expect(statusOf(far({ authorization: `Bearer ${TOKEN}` }))).toBe(401);
    expect(far({ host: '127.0.0.1:1880', cookie: COOKIE }, '/', 'GET', '::ffff:127.0.0.1').kind).toBe('pass');
    expect(far({ authorization: `Bearer ${METRICS_TOKEN}` }, '/metrics').kind).toBe('pass');
  });

  it.each(['evil.example:1880', 'evil.example', '192.0.2.1', '192.0.2.1:80', '192.0.2.1.evil.example:1880', '[::1:1880', '[fe80::1]x:1880', ''])('refuses the Host "%s": names can be made to lead here', (host) => {
    expect(statusOf(far({ ...session, host }))).toBe(403);
  });

  it.each(['192.0.2.1:1880', '[2001:db8::1]:1880', 'localhost:1880'])('lets the Host %s through, and of pages only its own', (host) => {
    expect(far({ ...session, host, origin: `http://${host}` }).kind).toBe('pass');
    for (const origin of ['http://192.0.2.2:1880', 'null', `https://${host}`, 'http://evil.example:1880']) expect(statusOf(far({ ...session, host, origin }))).toBe(403);
  });

  it('takes a password from a page of ours alone', () => {
    expect(far({ origin: 'http://192.0.2.1:1880' }, '/lanpost/login', 'POST')).toEqual({ kind: 'try' });
    expect(statusOf(far({}, '/lanpost/login', 'POST'))).toBe(401);
    expect(statusOf(far({ origin: 'http://evil.example' }, '/lanpost/login', 'POST'))).toBe(403);
  });
});
