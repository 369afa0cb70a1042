import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { Box } from '../api.ts';
import { createSystemClock } from '../clock.ts';
import { LanpostError } from '../errors.ts';
import { Connection, disconnected } from './connection.ts';
import { deferred } from './deferred.ts';
import { CONTROL_LIMITS, type ControlLimits } from './limits.ts';
import { remoteBox } from './remote-box.ts';
import { RpcClient } from './rpc-client.ts';
import { directoryId, findSocketPath } from './socket-path.ts';
import { systemCode } from './system-error.ts';
import { parseReply, PROTOCOL, ProtocolError, type Reply } from './wire.ts';

type Hello = Extract<Reply, { type: 'hello' }>;
export interface Attached {
  readonly hello: Hello;
  readonly rpc: RpcClient;
  /** Ends the streams in order, then the connection. Idempotent. */
  close(): Promise<void>;
  /** Drops the connection, as a process that is killed does. */
  cut(): void;
}

export async function attachRemote(o: { dir: string; signal?: AbortSignal | undefined }): Promise<Box> {
  const service = await attachService(o);
  return remoteBox({ name: service.hello.name, rpc: service.rpc, limits: CONTROL_LIMITS, close: () => service.close() });
}

export async function attachService(o: { dir: string; signal?: AbortSignal | undefined; limits?: Partial<ControlLimits> }): Promise<Attached> {
  const limits = { ...CONTROL_LIMITS, ...o.limits };
  o.signal?.throwIfAborted();
  const path = await findSocketPath(o.dir);
  if (path === undefined) throw noBox(o.dir);
  const socket = await dial(path, o.dir);

  const clock = createSystemClock();
  const greeted = deferred<Hello>();
  const gone = deferred<void>();
  const connection = new Connection({
    socket,
    frameBytes: limits.frameBytes,
    onMessage: (message) => {
      const reply = parseReply(message);
      if (reply.type === 'hello') greeted.resolve(reply);
      else rpc.receive(reply);
    },
    onClose: (error) => {
      const lost = disconnected();
      greeted.reject(error instanceof ProtocolError ? new LanpostError('unsupported', `What listens in ${o.dir} is not a box: ${error.message}.`) : lost);
      rpc.lost();
      gone.resolve();
    },
  });
  const rpc = new RpcClient({ connection, limits, clock });

  const late = clock.after(limits.greeting, () => {
    greeted.reject(new LanpostError('timeout', `The box in ${o.dir} does not answer; it may be hung.`));
  });
  const stop = (): void => greeted.reject(o.signal?.reason);
  o.signal?.addEventListener('abort', stop, { once: true });
  if (o.signal?.aborted) stop(); // while it was dialling
  try {
    const hello = await greeted.promise;
    if (hello.protocol !== PROTOCOL) {
      throw new LanpostError('unsupported', `The box in ${o.dir} runs lanpost ${hello.version}, which this one cannot talk to: use the same version.`);
    }
    // A copied directory leads to the original's box.
    if (process.platform !== 'win32' && hello.dirId !== await directoryId(o.dir)) throw noBox(o.dir);
    let closing: Promise<void> | undefined;
    const close = (): Promise<void> => {
      closing ??= (async () => {
        await rpc.close();
        connection.end();
        const hung = clock.after(limits.farewell, () => connection.destroy());
        await gone.promise;
        hung.stop();
      })();
      return closing;
    };
    return { hello, rpc, close, cut: () => connection.destroy() };
  } catch (error) {
    connection.destroy();
    throw error;
  } finally {
    late.stop();
    o.signal?.removeEventListener('abort', stop);
  }
}

async function dial(path: string, dir: string): Promise<Socket> {
  const socket = connect(path);
  try {
    await once(socket, 'connect');
    return socket;
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT' || code === 'ECONNREFUSED' || code === 'ENOTSOCK') throw noBox(dir, error);
    if (code === 'EACCES' || code === 'EPERM') throw new LanpostError('forbidden', `The box in ${dir} belongs to another user.`, { cause: error });
    throw error;
  }
}

function noBox(dir: string, cause?: unknown): LanpostError {
  return new LanpostError('not-found', `no box is running in ${dir}: start one with \`lanpost start --dir ${dir}\``, { cause });
}
