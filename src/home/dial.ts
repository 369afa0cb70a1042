// A connection to somewhere, through a proxy or not; with TLS on it or not. The proxy is this connection's alone.
import { connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { callFailure } from '../call-failure.ts';
import type { Clock } from '../clock.ts';
import { LanpostError } from '../errors.ts';
import { httpConnect } from './http-connect.ts';
import type { Proxy } from './proxy.ts';
import type { Greeting } from './proxy-greeting.ts';
import { socks5 } from './socks5.ts';
import type { TcpTarget } from './target.ts';

export interface Dialing {
  readonly clock: Clock;
  readonly proxy?: Proxy | undefined;
  /** Somebody else's connection to there, instead of one of this machine's own. */
  readonly dial?: ((signal: AbortSignal, kind: TcpTarget['kind']) => Promise<Duplex>) | undefined;
  readonly signal: AbortSignal;
}

/** For a TCP connection, and once more for what a proxy has to say; ms. */
const DEADLINE = 5_000;

/** All addresses of the host are tried, in both families, each soon after the one before (RFC 8305, as Node has it). */
export async function dial(to: Pick<TcpTarget, 'host' | 'port'> & Partial<TcpTarget>, { clock, proxy, signal, dial: other }: Dialing): Promise<Duplex> {
  if (other) return other(signal, to.kind ?? 'tls');
  const at = proxy ?? to;
  const socket = connect({ host: at.host, port: at.port, noDelay: true, keepAlive: true, autoSelectFamily: true });
  try {
    await within(socket, clock, signal, `No connection to ${at.host}:${at.port}`, (done) => void socket.once('connect', () => done()));
    if (proxy) await greet(socket, (proxy.kind === 'http' ? httpConnect : socks5)(to, proxy), clock, signal);
    return socket;
  } catch (error) {
    socket.destroy();
    if (error instanceof LanpostError || !(error instanceof Error && 'code' in error)) throw error;
    throw new LanpostError('unreachable', `${proxy ? 'the proxy ' : ''}${at.host}:${at.port}: ${callFailure(error)}`, { cause: error });
  }
}

/** Once nothing is left to be said to the proxy, whatever it sent behind its answer is the server's. */
function greet(socket: Socket, greeting: Greeting, clock: Clock, signal: AbortSignal): Promise<void> {
  let heard: ((bytes: Buffer) => void) | undefined;
  return within(socket, clock, signal, 'The proxy did not answer', (done) => {
    heard = (bytes) => {
      try {
        const { say, rest } = greeting.receive(bytes);
        if (say) socket.write(say);
        if (!rest) return;
        socket.pause();
        if (rest.length > 0) socket.unshift(rest);
        done();
      } catch (error) {
        done(error instanceof Error ? error : new Error(String(error)));
      }
    };
    socket.on('data', heard);
    socket.write(greeting.first);
  }).finally(() => { if (heard) socket.off('data', heard); });
}

/** The handshake done, the certificate found to be right. */
export async function encrypt(socket: Duplex, options: ConnectionOptions, { clock, signal }: Dialing): Promise<TLSSocket> {
  const secured = connectTls({ ...options, socket });
  try {
    await within(secured, clock, signal, 'No TLS', (done) => void secured.once('secureConnect', () => done()));
    secured.setNoDelay(true);
    return secured;
  } catch (error) {
    secured.destroy();
    socket.destroy();
    throw error;
  }
}

function within(socket: Socket, clock: Clock, signal: AbortSignal, what: string, begin: (done: (error?: Error) => void) => void): Promise<void> {
  return new Promise<void>((resolve, reject) => {
    const done = (error?: Error): void => {
      timer.stop();
      signal.removeEventListener('abort', abort);
      socket.off('close', closed);
      if (error) reject(error);
      else resolve();
      // What goes wrong from here on is told by whoever has the socket next; nobody may have it yet.
      socket.off('error', done).on('error', () => undefined);
    };
    const closed = (): void => done(new LanpostError('disconnected', `${what}: the other side closed the connection.`));
    const abort = (): void => done(new LanpostError('closed'));
    const timer = clock.after(DEADLINE, () => done(new LanpostError('timeout', `${what} within ${DEADLINE / 1000} s.`)));
    socket.on('error', done).on('close', closed);
    signal.addEventListener('abort', abort, { once: true });
    if (signal.aborted) abort();
    else begin(done);
  });
}
