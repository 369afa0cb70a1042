import { describe, expect, it } from 'vitest';
import { createDoor, type Verdict } from '../../src/editor/door.ts';

const TOKEN = 'a-token-that-nobody-guesses-0123456789';
const door = createDoor({ token: TOKEN, port: 1880 });
const COOKIE = `lanpost-editor-1880=${TOKEN}`;

function ask(headers: Record<string, string>, url = '/', method = 'GET'): Verdict {
  return door.check({ method, url, headers: { host: '127.0.0.1:1880', ...headers } });
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
    expect(statusOf(door.check({ method: 'GET', url: '/', headers: { cookie: COOKIE } }))).toBe(403);
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
});
