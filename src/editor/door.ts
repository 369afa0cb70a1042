import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

/** What becomes of a request: let through, turned away, or let in for the first time (cookie set, sent on). */
export type Verdict =
  | { readonly kind: 'pass'; readonly url: string }
  | { readonly kind: 'refuse'; readonly status: 401 | 403; readonly reason: string }
  | { readonly kind: 'enter'; readonly cookie: string; readonly location: string };

export interface Door {
  check(request: Pick<IncomingMessage, 'method' | 'url' | 'headers'>): Verdict;
}

const COOKIE_SECONDS = 30 * 24 * 3600;

/**
 * Who may talk to the editor. It listens on loopback, but every web page the owner visits can send
 * requests there too: Host stops DNS rebinding, Origin stops foreign pages (WebSockets have no
 * same-origin rule of their own), the token stops other users of this machine.
 */
export function createDoor(options: { readonly token: string; readonly port: number }): Door {
  const { token, port } = options;
  const hosts = new Set(['127.0.0.1', 'localhost', '[::1]'].map((name) => (port === 80 ? name : `${name}:${port}`)));
  const origins = new Set([...hosts].map((host) => `http://${host}`));
  // Cookies are shared by all ports of a host, so each port's cookie has its own name.
  const cookieName = `lanpost-editor-${port}`;
  const wanted = digest(token);
  const right = (given: string | null | undefined): boolean => typeof given === 'string' && timingSafeEqual(digest(given), wanted);

  return {
    check({ method, url = '/', headers }) {
      if (!hosts.has((headers.host ?? '').toLowerCase())) {
        return { kind: 'refuse', status: 403, reason: 'lanpost: this address is not the editor\'s; use the URL printed by `lanpost start`.' };
      }
      if (headers.origin !== undefined && !origins.has(headers.origin.toLowerCase())) {
        return { kind: 'refuse', status: 403, reason: 'lanpost: another web page may not use the editor; use the URL printed by `lanpost start`.' };
      }
      const { path, query, given } = splitToken(url);
      if (right(given)) {
        const clean = query === '' ? path : `${path}?${query}`;
        const page = method === 'GET' && (headers.accept ?? '').includes('text/html');
        if (!page) return { kind: 'pass', url: clean };
        const cookie = `${cookieName}=${token}; Path=/; HttpOnly; SameSite=Strict; Max-Age=${COOKIE_SECONDS}`;
        // One leading slash only: `//name` would lead to another host.
        return { kind: 'enter', cookie, location: `/${clean.replace(/^[/\\]+/, '')}` };
      }
      if (right(cookieOf(headers.cookie, cookieName))) return { kind: 'pass', url };
      return { kind: 'refuse', status: 401, reason: 'lanpost: open the editor with the URL printed by `lanpost start`; it carries the key.' };
    },
  };
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
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
