import { chmod, rm } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { Box, Trouble } from '../api.ts';
import type { Clock } from '../clock.ts';
import { LanpostError } from '../errors.ts';
import { boxService } from './box-service.ts';
import { Connection } from './connection.ts';
import { CONTROL_LIMITS, type ControlLimits } from './limits.ts';
import type { Service } from './service.ts';
import { Session } from './session.ts';
import { directoryId, isMissing, prepareSocketPath } from './socket-path.ts';
import { parseRequest, PROTOCOL, type Reply } from './wire.ts';

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
}

/** Serves `box` to other processes of this user, on a socket in its data directory. */
export async function serveControl(box: Box, o: ServeOptions): Promise<ControlServer> {
  const { version } = await box.status();
  return serveService(boxService(box), { name: () => box.name, version }, o);
}

export async function serveService(service: Service, greeting: { name: () => string; version: string }, o: ServeOptions): Promise<ControlServer> {
  const limits = { ...CONTROL_LIMITS, ...o.limits };
  const path = await prepareSocketPath(o.dir);
  const dirId = await directoryId(o.dir);
  const open = new Set<{ session: Session; connection: Connection }>();

  const welcome = (socket: Socket): void => {
    if (open.size >= limits.connections) {
      o.trouble({ kind: 'control.connections', message: `more than ${limits.connections} programs are attached; one was turned away`, code: 'busy' });
      socket.destroy();
      return;
    }
    const connection = new Connection({
      socket,
      frameBytes: limits.frameBytes,
      onMessage: (message) => session.receive(parseRequest(message)),
      onClose: (error) => {
        open.delete(entry);
        void session.close();
        // A client that was killed resets the connection: that is its way of leaving.
        if (error && !('syscall' in error)) o.trouble({ kind: 'control.protocol', message: `an attached program was cut off: ${error.message}` });
      },
    });
    const session = new Session({ connection, service, limits });
    const entry = { session, connection };
    open.add(entry);
    connection.send({ type: 'hello', protocol: PROTOCOL, version: greeting.version, name: greeting.name(), dirId } satisfies Reply);
  };

  const server = createServer(welcome);
  await listen(server, path, o.dir);
  server.on('error', (error) => o.trouble({ kind: 'control.server', message: error.message }));

  let closing: Promise<void> | undefined;
  return {
    path,
    close() {
      closing ??= (async () => {
        const closed = new Promise<void>((resolve) => { server.close(() => resolve()); });
        const deadline = o.clock.after(limits.farewell, () => { for (const { connection } of open) connection.destroy(); });
        for (const { session, connection } of open) void session.finish().then(() => connection.end());
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
