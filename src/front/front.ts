import { createServer, STATUS_CODES, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import { chmod, mkdir } from 'node:fs/promises';
import { isIP } from 'node:net';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { LanpostError } from '../index.ts';
import { Connections } from './connections.ts';
import { createDoor, type Door } from './door.ts';
import { keptSecret } from './kept-secret.ts';
import { Login } from './login.ts';
import { escaped } from './login-page.ts';
import { Password, webFolder } from './password.ts';
import { isLoopback } from './remote-address.ts';
import { Sessions } from './sessions.ts';
import { hasCode } from './system-error.ts';

export const LOGOUT = '/lanpost/logout';
export const LOOPBACK_HOST = '127.0.0.1';
/** Milliseconds after which connections of a session are cut that has ended. */
const LOOK_AGAIN = 5000;

export interface FrontOptions {
  /** The box's data directory: tokens and password are in DIR/web. */
  readonly dir: string;
  /** Port; 0 for a free one. */
  readonly port: number;
  /** What to listen on; default 127.0.0.1. Beyond loopback a password must have been set. */
  readonly host?: string;
  /** The options by which people choose host and port, as errors name them. */
  readonly called?: { readonly host: string; readonly port: string };
  /** Milliseconds that only go forward. */
  readonly now?: () => number;
}

/** Who asks: `session` when it came in by password. */
export interface Visitor { readonly session: boolean }
export type Mounted = (request: IncomingMessage, response: ServerResponse, visitor: Visitor) => void;

export interface Front {
  readonly port: number;
  /** Stands behind the door; never listens itself. Whoever needs a server (Node-RED's WebSockets) hangs on to this one. */
  readonly inner: Server;
  /** The address to open a path with: carries the token, unless it is not on this machine. */
  url(path: string): string;
  /** Serves a path, and all below it, at once. */
  mount(path: string, handler: Mounted): void;
  /** Serves everything else. Until it is called, requests are told to come back in a moment. */
  serve(handler: RequestListener): void;
  close(): Promise<void>;
}

/** The listening server: every request and every WebSocket upgrade passes the door first. */
export async function openFront(options: FrontOptions): Promise<Front> {
  const { dir, host = LOOPBACK_HOST, called = { host: '--editor-host', port: '--editor-port' }, now = () => performance.now() } = options;
  const password = new Password(dir);
  const beyond = !isLoopback(host);
  if (beyond && password.version === undefined) {
    throw new LanpostError('forbidden', `${called.host} opens this box to others, so it needs a password first: see \`lanpost editor passwd\``);
  }
  const folder = webFolder(dir);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await chmod(folder, 0o700);
  const token = await keptSecret(join(folder, 'token'));
  const metricsToken = await keptSecret(join(folder, 'metrics-token'));

  const sessions = new Sessions({ version: () => password.version, now });
  const login = new Login({ password, sessions, now });
  const inner = createServer();
  const upgraded = new Set<Duplex>();
  /** What is being answered, and the WebSockets, of whom came in by password. */
  const held = new Set<{ readonly socket: Duplex; readonly session: string }>();
  const mounted = new Map<string, Mounted>();
  let handler: RequestListener = starting;
  let door: Door | undefined;

  const holds = (socket: Duplex, session: string | undefined, until: ServerResponse | Duplex): void => {
    if (session === undefined) return;
    const one = { socket, session };
    held.add(one);
    until.once('close', () => held.delete(one));
  };
  const cutEnded = (): void => {
    for (const { socket, session } of held) if (!sessions.lasts(session)) socket.destroy();
  };

  const server = createServer((request, response) => {
    const verdict = door?.check(request, request.socket.remoteAddress);
    if (!verdict) return answer(response, 503, 'lanpost: starting.');
    holds(request.socket, verdict.kind === 'pass' ? verdict.session : undefined, response);
    switch (verdict.kind) {
      case 'pass': {
        request.url = verdict.url;
        const { session } = verdict;
        if (session !== undefined && verdict.url === LOGOUT && request.method === 'POST' && request.headers.origin !== undefined) {
          sessions.end(session);
          response.writeHead(303, { location: '/', 'set-cookie': door!.sessionCookie('', 0), 'cache-control': 'no-store', connection: 'close' });
          response.end();
          response.once('finish', cutEnded);
          return;
        }
        const found = [...mounted].find(([path]) => isBelow(verdict.url, path));
        if (found) found[1](request, response, { session: session !== undefined });
        else {
          // A page of another port of this machine is of the same site, and its frames get the cookie: nobody's clicks are to be led into the editor.
          response.setHeader('content-security-policy', "frame-ancestors 'self'");
          handler(request, response);
        }
        return;
      }
      case 'enter': return enter(response, verdict);
      case 'login': return login.ask(response, request.url ?? '/');
      case 'try':
        login.answer(request, response, (id, seconds) => door!.sessionCookie(id, seconds)).catch(() => response.destroy()); // it hung up meanwhile
        return;
      default: answer(response, verdict.status, verdict.reason);
    }
  });
  const connections = new Connections();
  server.on('connection', (socket) => connections.admit(socket));
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    // Before a handler takes it, a reset of this socket would otherwise be an uncaught error.
    socket.on('error', () => socket.destroy());
    const verdict = door?.check(request, request.socket.remoteAddress);
    if (verdict?.kind !== 'pass' || inner.listenerCount('upgrade') === 0) {
      const refused = verdict?.kind === 'refuse' ? verdict : { status: verdict?.kind === 'pass' ? 404 : 401, reason: 'lanpost: no WebSocket here.' };
      socket.end(`HTTP/1.1 ${refused.status} ${STATUS_CODES[refused.status]}\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n${refused.reason}\n`, () => socket.destroy());
      return;
    }
    request.url = verdict.url;
    holds(socket, verdict.session, socket);
    upgraded.add(socket);
    socket.once('close', () => upgraded.delete(socket));
    inner.emit('upgrade', request, socket, head);
  });

  server.listen(options.port, host);
  try {
    await once(server, 'listening');
  } catch (cause) {
    throw explain(cause, options.port, host, called);
  }
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the editor listens on no TCP port');
  const { port } = address;
  door = createDoor({ token, metricsToken, port, host, sessions });
  const looking = setInterval(cutEnded, LOOK_AGAIN).unref();

  return {
    port,
    inner,
    url: (path) => {
      const wild = host === '0.0.0.0' || host === '::';
      const name = wild ? LOOPBACK_HOST : isIP(host) === 6 ? `[${host}]` : host;
      return `http://${name}:${port}${path}${beyond && !wild ? '' : `?token=${token}`}`;
    },
    mount(path, mount) { mounted.set(path, mount); },
    serve(next) { handler = next; },
    async close() {
      clearInterval(looking);
      const closed = new Promise<void>((resolve) => { server.close(() => resolve()); });
      for (const socket of upgraded) socket.destroy();
      server.closeAllConnections();
      await closed;
      inner.removeAllListeners();
    },
  };
}

function isBelow(url: string, path: string): boolean {
  return url.startsWith(path) && (url.length === path.length || '/?'.includes(url.charAt(path.length)));
}

function explain(error: unknown, port: number, host: string, called: { readonly host: string; readonly port: string }): unknown {
  if (hasCode(error, 'EADDRINUSE')) {
    return new LanpostError('in-use', `port ${port} is in use: choose another with ${called.port} N, or 0 for any free one`, { cause: error });
  }
  if (hasCode(error, 'EACCES')) {
    return new LanpostError('forbidden', `port ${port} may not be opened by this user: choose one above 1023 with ${called.port} N`, { cause: error });
  }
  if (hasCode(error, 'EADDRNOTAVAIL') || hasCode(error, 'ENOTFOUND') || hasCode(error, 'EAI_AGAIN')) {
    return new LanpostError('not-found', `this machine has no address ${host}: see \`ip addr\`, or say ${called.host} 0.0.0.0 for all it has`, { cause: error });
  }
  return error;
}

function starting(_request: IncomingMessage, response: ServerResponse): void {
  response.setHeader('retry-after', '1');
  answer(response, 503, 'lanpost: starting.');
}

function answer(response: ServerResponse, status: number, reason: string): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store', connection: 'close' });
  response.end(`${reason}\n`);
}

/**
 * Sets the cookie and goes on without the token in the address. A page of our own and not a redirect:
 * when the link was followed from another site, a redirect would still count as that site's request
 * and SameSite=Strict would hold the cookie back.
 */
function enter(response: ServerResponse, to: { readonly cookie: string; readonly location: string }): void {
  response.writeHead(200, {
    'content-type': 'text/html; charset=utf-8',
    'set-cookie': to.cookie,
    'cache-control': 'no-store',
    'referrer-policy': 'no-referrer',
  });
  const script = JSON.stringify(to.location).replaceAll('<', '\\u003c');
  response.end(`<!doctype html><title>lanpost</title><script>location.replace(${script})</script><noscript><a href="${escaped(to.location)}">Open the editor</a></noscript>\n`);
}
