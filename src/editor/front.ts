import { createServer, STATUS_CODES, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { LanpostError } from '../index.ts';
import { createDoor, type Door } from './door.ts';
import { hasCode } from './system-error.ts';

export interface Front {
  readonly port: number;
  /** Stands behind the door; never listens itself. Whoever needs a server (Node-RED's WebSockets) hangs on to this one. */
  readonly inner: Server;
  /** Until it is called, requests are told to come back in a moment. */
  serve(handler: RequestListener): void;
  close(): Promise<void>;
}

/** The listening server: every request and every WebSocket upgrade passes the door first. */
export async function openFront(options: { readonly port: number; readonly token: string }): Promise<Front> {
  const inner = createServer();
  const upgraded = new Set<Duplex>();
  let handler: RequestListener = starting;
  let door: Door | undefined;

  const server = createServer((request, response) => {
    const verdict = door?.check(request);
    if (verdict?.kind === 'pass') {
      request.url = verdict.url;
      handler(request, response);
    } else if (verdict?.kind === 'enter') enter(response, verdict);
    else answer(response, verdict?.status ?? 503, verdict?.reason ?? 'lanpost: starting.');
  });
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    // Before a handler takes it, a reset of this socket would otherwise be an uncaught error.
    socket.on('error', () => socket.destroy());
    const verdict = door?.check(request);
    if (verdict?.kind !== 'pass' || inner.listenerCount('upgrade') === 0) {
      const refused = verdict?.kind === 'refuse' ? verdict : { status: 404, reason: 'lanpost: no WebSocket here.' };
      socket.end(`HTTP/1.1 ${refused.status} ${STATUS_CODES[refused.status]}\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n${refused.reason}\n`, () => socket.destroy());
      return;
    }
    request.url = verdict.url;
    upgraded.add(socket);
    socket.once('close', () => upgraded.delete(socket));
    inner.emit('upgrade', request, socket, head);
  });

  server.listen(options.port, '127.0.0.1');
  try {
    await once(server, 'listening');
  } catch (cause) {
    throw explain(cause, options.port);
  }
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the editor listens on no TCP port');
  const { port } = address;
  door = createDoor({ token: options.token, port });

  return {
    port,
    inner,
    serve(next) { handler = next; },
    async close() {
      const closed = new Promise<void>((resolve) => { server.close(() => resolve()); });
      for (const socket of upgraded) socket.destroy();
      server.closeAllConnections();
      await closed;
      inner.removeAllListeners();
    },
  };
}

function explain(error: unknown, port: number): unknown {
  if (hasCode(error, 'EADDRINUSE')) {
    return new LanpostError('in-use', `port ${port} is in use: choose another with --editor-port, or 0 for a free one`, { cause: error });
  }
  if (hasCode(error, 'EACCES')) {
    return new LanpostError('forbidden', `port ${port} may not be opened by this user: choose one above 1023 with --editor-port`, { cause: error });
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
  const href = to.location.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
  response.end(`<!doctype html><title>lanpost</title><script>location.replace(${script})</script><noscript><a href="${href}">Open the editor</a></noscript>\n`);
}
