// One request to a web server over a connection of our own making, its answer bounded.
import type { IncomingHttpHeaders } from 'node:http';
import { Agent, request } from 'node:https';
import type { TLSSocket } from 'node:tls';
import { LanpostError } from '../errors.ts';
import { verifiedTls } from '../xmpp/tls.ts';
import { dial, encrypt, type Dialing } from './dial.ts';
import { Unusable } from './loss.ts';

export interface Trust {
  readonly ca?: string | undefined;
  readonly pin?: readonly string[] | undefined;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** An answer that is none of use. What a web server says while what stands behind it is away, or too much is asked of it, passes. */
export function refusalOf(who: string, status: number): Error {
  const text = `${who} answers ${status}`;
  return status >= 500 || status === 429 || status === 408 ? new LanpostError('unreachable', text) : new Unusable(text);
}

/** To the server that the address names, and whose name its certificate has. */
export async function dialUrl(url: URL, trust: Trust, dialing: Dialing): Promise<TLSSocket> {
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const socket = await dial({ host, port: url.port === '' ? 443 : Number(url.port) }, dialing);
  return encrypt(socket, verifiedTls({ domain: host, ...trust, alpn: 'http/1.1' }), dialing);
}

export interface HttpExchange {
  readonly url: URL;
  /** The connection, or where connections come from. */
  readonly over: TLSSocket | Agent;
  readonly method: 'GET' | 'POST';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly maxBytes: number;
  readonly signal: AbortSignal;
  /** Called when the last byte of the request was handed to the network. */
  readonly gone?: () => void;
}

/** Connections to one server, kept for the next request. */
export function createPool(url: URL, trust: Trust, dialing: Dialing): Agent {
  const agent = new Agent({ keepAlive: true, maxSockets: 2, maxFreeSockets: 2 });
  const connected = async (done: (error: Error | null, socket?: TLSSocket) => void): Promise<void> => {
    let socket: TLSSocket;
    try {
      socket = await dialUrl(url, trust, dialing);
    } catch (error) {
      return done(error instanceof Error ? error : new Error(String(error)));
    }
    done(null, socket);
  };
  // Node's type for it wants a socket even with an error. What it gives back would be taken for a socket, a promise too.
  const made: { createConnection: unknown } = agent;
  made.createConnection = (_options: unknown, done: Parameters<typeof connected>[0]): void => void connected(done);
  return agent;
}

export function exchange({ url, over, method, headers = {}, body, maxBytes, signal, gone }: HttpExchange): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { method, headers, signal, maxHeaderSize: 16_384, ...(over instanceof Agent ? { agent: over } : { createConnection: () => over }) }, (answer) => {
      const chunks: Buffer[] = [];
      let size = 0;
      answer.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size > maxBytes) asked.destroy(new Unusable(`${url.host} answers more than ${maxBytes} bytes`));
        else chunks.push(chunk);
      });
      answer.on('error', reject);
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: Buffer.concat(chunks).toString() }));
    });
    asked.on('error', reject);
    if (gone) asked.on('finish', gone);
    asked.end(body);
  });
}
