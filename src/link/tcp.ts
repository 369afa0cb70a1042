import { connect as connectTo, createServer, type Socket } from 'node:net';
import { LanpostError } from '../errors.ts';
import { callFailure } from '../call-failure.ts';

export interface Door {
  readonly address: string;
  readonly port: number;
  close(): Promise<void>;
}

/** The stream half of the network port: TCP as the link needs it. */
export interface Tcp {
  connect(address: string, port: number, ms: number): Promise<Socket>;
  /** Rejects with `in-use` when the port is taken. */
  listen(address: string, port: number, accept: (socket: Socket) => void): Promise<Door>;
}

export function createTcp(): Tcp {
  return {
    connect: (address, port, ms) => new Promise((resolve, reject) => {
      const socket = connectTo({ host: address, port, allowHalfOpen: true }); // a stream closes its own half
      const fail = (cause: Error): void => {
        socket.destroy();
        reject(new LanpostError('unreachable', `${address} port ${port}: ${callFailure(cause)}`, { cause }));
      };
      socket.setTimeout(ms, () => fail(new Error('no answer')));
      socket.once('error', fail);
      socket.once('connect', () => {
        socket.setTimeout(0);
        socket.off('error', fail);
        resolve(socket);
      });
    }),

    listen: (address, port, accept) => new Promise((resolve, reject) => {
      const server = createServer({ allowHalfOpen: true }, accept);
      server.once('error', (cause: NodeJS.ErrnoException) => reject(new LanpostError(
        cause.code === 'EADDRINUSE' ? 'in-use' : 'unreachable', `cannot listen on ${address} port ${port}: ${cause.message}`, { cause },
      )));
      // ipv6Only: IPv4 has doors of its own.
      server.listen({ host: address, port, ipv6Only: true, exclusive: true }, () => {
        const bound = server.address();
        // What fails later concerns one connection only; the door stays open.
        server.on('error', () => undefined);
        resolve({
          address,
          port: typeof bound === 'object' && bound ? bound.port : port,
          close: () => new Promise(done => { server.close(() => done()); }),
        });
      });
    }),
  };
}
