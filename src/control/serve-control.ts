import { chmod, rm } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { Box, Trouble } from '../api.ts';
import type { Clock } from '../clock.ts';
import { LanpostError } from '../errors.ts';
import { late } from '../late.ts';
import type { Caller } from './caller.ts';
import { CONTROL_LIMITS, type ControlLimits } from './limits.ts';
import type { Service } from './service.ts';
import { directoryId, isMissing, prepareSocketPath } from './socket-path.ts';

export interface ControlServer {
  /** Where it listens. */
  readonly path: string;
  /** Takes no more, closes every reader's streams, answers what was asked, hangs up. Idempotent. */
  close(): Promise<void>;
}

export interface ServeOptions {
  /** The box's data directory, which exists. */
  readonly dir: string;
  readonly clock: Clock;
  readonly trouble: (trouble: Trouble) => void;
  readonly limits?: Partial<ControlLimits>;
  /** Set while too much waits for the disk: resolves when it does not any more. */
  readonly roomy?: () => Promise<void> | undefined;
}

/** Serves `box` to other processes of this user, on a socket in its data directory. */
export async function serveControl(box: Box, o: ServeOptions): Promise<ControlServer> {
  const { version } = await box.status();
  const service = async (): Promise<Service> => (await late('What serves programs', () => import('./box-service.ts'))).boxService(box);
  return serveService(service, { name: () => box.name, version }, o);
}

/** `service` is asked for when the first program comes, and with each. */
export async function serveService(service: () => Promise<Service>, greeting: { name: () => string; version: string }, o: ServeOptions): Promise<ControlServer> {
  const limits = { ...CONTROL_LIMITS, ...o.limits };
  const path = await prepareSocketPath(o.dir);
  const dirId = await directoryId(o.dir);
  /** By socket; undefined as long as what serves it is being loaded. */
  const open = new Map<Socket, Caller | undefined>();
  let closing: Promise<void> | undefined;

  const welcome = async (socket: Socket): Promise<void> => {
    if (open.size >= limits.connections) {
      o.trouble({ kind: 'control.connections', message: `more than ${limits.connections} programs are attached; one was turned away`, code: 'busy' });
      socket.destroy();
      return;
    }
    open.set(socket, undefined);
    socket.once('close', () => open.delete(socket));
    socket.on('error', () => undefined); // until the connection listens: a program that leaves is no trouble
    // What it says meanwhile waits in the socket.
    const [{ serveCaller }, served] = await Promise.all([late('What serves programs', () => import('./caller.ts')), service()]);
    if (closing || socket.destroyed) socket.destroy();
    else open.set(socket, serveCaller(socket, { service: served, greeting: { name: greeting.name(), version: greeting.version, dirId }, limits, trouble: o.trouble, roomy: o.roomy }));
  };

  const server = createServer((socket) => {
    welcome(socket).catch((error: unknown) => {
      socket.destroy();
      o.trouble({ kind: 'control.server', message: error instanceof Error ? error.message : String(error), ...(error instanceof LanpostError ? { code: error.code } : {}) });
    });
  });
  await listen(server, path, o.dir);
  server.on('error', (error) => o.trouble({ kind: 'control.server', message: error.message }));

  return {
    path,
    close() {
      closing ??= (async () => {
        const closed = new Promise<void>((resolve) => { server.close(() => resolve()); });
        const deadline = o.clock.after(limits.farewell, () => { for (const socket of open.keys()) socket.destroy(); });
        for (const [socket, caller] of open) {
          if (caller) void caller.finish();
          else socket.destroy();
        }
        await closed;
        deadline.stop();
      })();
      return closing;
    },
  };
}

async function listen(server: Server, path: string, dir: string): Promise<void> {
  const pipe = process.platform === 'win32';
  if (!pipe && await answers(path)) {
    throw new LanpostError('locked', `A box is running in ${dir} already.`);
  }
  // What is there now answers nobody: left over from a box that was killed.
  if (!pipe) await rm(path, { force: true });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(error.code === 'EADDRINUSE' ? new LanpostError('locked', `A box is running in ${dir} already.`, { cause: error }) : error);
    });
    server.listen(path, () => {
      server.removeAllListeners('error');
      resolve();
    });
  });
  if (!pipe) await chmod(path, 0o600);
}

/** Whether somebody listens there. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', (error: NodeJS.ErrnoException) => {
      if (isMissing(error) || error.code === 'ECONNREFUSED' || error.code === 'ENOTSOCK') resolve(false);
      else reject(error);
    });
  });
}
