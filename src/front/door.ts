import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { hostname } from 'node:os';
import { isLoopback } from './remote-address.ts';

/** What becomes of a request: let through, turned away, let in for the first time (cookie set, sent on), or asked who it is. */
export type Verdict =
  | { readonly kind: 'pass'; readonly url: string; readonly session?: string }
  | { readonly kind: 'refuse'; readonly status: 401 | 403; readonly reason: string }
  | { readonly kind: 'enter'; readonly cookie: string; readonly location: string }
  /** A browser without a session, where there is a password to give; and the password that it gives. */
  | { readonly kind: 'login' }
  | { readonly kind: 'try' };

export interface Door {
  /** `from`: the address that it comes from. */
  check(request: Pick<IncomingMessage, 'method' | 'url' | 'headers'>, from: string | undefined): Verdict;
  /** Cookie that carries a session, for so many seconds. */
  sessionCookie(id: string, seconds: number): string;
}

export interface DoorOptions {
  /** Opens everything, from this machine. */
  readonly token: string;
  /** Opens `/metrics` for reading, from anywhere that reaches the door. */
  readonly metricsToken: string;
  readonly port: number;
  /** What is listened on. */
  readonly host: string;
  /** The sessions of who gave the password; absent where there is none to give. */
  readonly sessions?: { has(id: string): boolean; readonly open: boolean };
}

const COOKIE_SECONDS = 30 * 24 * 3600;
const LOOPBACK = ['127.0.0.1', 'localhost', '[::1]'];
export const METRICS = '/metrics';
export const LOGIN = '/lanpost/login';

/**
 * Who may talk to the editor and the status page. They listen on loopback, but every web page the owner visits can send
 * requests there too: Host stops DNS rebinding, Origin stops foreign pages (WebSockets have no
 * same-origin rule of their own), the token stops other users of this machine.
 */
export function createDoor({ token, metricsToken, port, host, sessions }: DoorOptions): Door {
  const withPort = (name: string): string => (port === 80 ? name : `${name}:${port}`);
  const beyond = !isLoopback(host);
  const names = new Set([...LOOPBACK, ...beyond ? [hostname(), `${hostname()}.local`, ] : [], isIP(host) === 6 ? `[${host}]` : host].map((name) => withPort(name.toLowerCase())));
  const origins = new Set(LOOPBACK.map((name) => `http://${withPort(name)}`));
  // Cookies are shared by all ports of a host, so each port's cookie has its own name.
  const cookieName = `lanpost-editor-${port}`;
  const sessionName = `lanpost-session-${port}`;
  const right = same(token);
  const rightForMetrics = same(metricsToken);

  /** Names are what DNS can be made to lie about; an address is where the browser really is. */
  const isOurs = (name: string): boolean => names.has(name) || (beyond && isAddress(name, withPort));

  return {
    check({ method, url = '/', headers }, from) {
      const name = (headers.host ?? '').toLowerCase();
      if (!isOurs(name)) {
        return { kind: 'refuse', status: 403, reason: 'lanpost: this address is not the editor\'s; use the URL printed by `lanpost start`.' };
      }
      const origin = headers.origin?.toLowerCase();
      if (origin !== undefined && origin !== `http://${name}` && !(names.has(name) && origins.has(origin))) {
        return { kind: 'refuse', status: 403, reason: 'lanpost: another web page may not use the editor; use the URL printed by `lanpost start`.' };
      }
      const { path, query, given } = splitToken(url);
      const bearer = bearerOf(headers.authorization);
      if (path === METRICS && (method === 'GET' || method === 'HEAD') && (rightForMetrics(bearer) || rightForMetrics(given))) return { kind: 'pass', url: path };
      if (isLoopback(from)) {
        if (right(given)) {
          const clean = query === '' ? path : `${path}?${query}`;
          const page = method === 'GET' && (headers.accept ?? '').includes('text/html');
          if (!page) return { kind: 'pass', url: clean };
          // One leading slash only: `//name` would lead to another host.
          return { kind: 'enter', cookie: cookie(cookieName, token, COOKIE_SECONDS), location: `/${clean.replace(/^[/\\]+/, '')}` };
        }
        if (right(bearer) || right(cookieOf(headers.cookie, cookieName))) return { kind: 'pass', url };
      }
      // Browsers name the page that a form stands on: one of ours, as was seen above.
      if (sessions?.open && path === LOGIN && method === 'POST' && origin !== undefined) return { kind: 'try' };
      const session = cookieOf(headers.cookie, sessionName);
      if (session !== undefined && sessions?.has(session)) return { kind: 'pass', url, session };
      if (sessions?.open && method === 'GET' && (headers.accept ?? '').includes('text/html')) return { kind: 'login' };
      return { kind: 'refuse', status: 401, reason: 'lanpost: open the editor with the URL printed by `lanpost start`; it carries the key.' };
    },
    sessionCookie: (id, seconds) => cookie(sessionName, id, seconds),
  };
}

/** Compares in a time that does not tell how much of it was right. */
function same(secret: string): (given: string | null | undefined) => boolean {
  const wanted = digest(secret);
  return (given) => typeof given === 'string' && timingSafeEqual(digest(given), wanted);
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

function isAddress(name: string, withPort: (name: string) => string): boolean {
  const [, bare = name] = /^(.*):\d+$/.exec(name) ?? [];
  if (withPort(bare) !== name) return false;
  const inner = /^\[(.+)\]$/.exec(bare)?.[1];
  return inner === undefined ? isIP(bare) === 4 : isIP(inner) === 6;
}

function cookie(name: string, value: string, seconds: number): string {
  return `${name}=${value}; Path=/; HttpOnly; SameSite=Strict; Max-Age=${seconds}`;
}

function bearerOf(header: string | undefined): string | undefined {
  return /^bearer ([\w.~+/-]+=*)$/i.exec(header ?? '')?.[1];
}

function splitToken(url: string): { path: string; query: string; given: string | null } {
  const mark = url.indexOf('?');
  if (mark < 0) return { path: url, query: '', given: null };
  const query = new URLSearchParams(url.slice(mark + 1));
  const given = query.get('token');
  query.delete('token');
  return { path: url.slice(0, mark), query: query.toString(), given };
}

function cookieOf(header: string | undefined, name: string): string | undefined {
  for (const part of (header ?? '').split(';')) {
    const at = part.indexOf('=');
    if (at > 0 && part.slice(0, at).trim() === name) return part.slice(at + 1).trim();
  }
  return undefined;
}
