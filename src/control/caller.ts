// One program that is attached, from its socket to its session. Loaded with the first one that comes.
import type { Socket } from 'node:net';
import type { Trouble } from '../api.ts';
import { Connection } from './connection.ts';
import type { ControlLimits } from './limits.ts';
import type { Service } from './service.ts';
import { Session } from './session.ts';
import { parseRequest, PROTOCOL, type Reply } from './wire.ts';

export type Greeting = Pick<Extract<Reply, { type: 'hello' }>, 'name' | 'version' | 'dirId'>;

export interface Caller {
  /** Takes no more, closes its streams, answers what was asked, hangs up. */
  finish(): Promise<void>;
}

/** Greets the program at the other end and serves it until it leaves. */
export function serveCaller(socket: Socket, o: { service: Service; greeting: Greeting; limits: ControlLimits; trouble: (trouble: Trouble) => void; roomy?: (() => Promise<void> | undefined) | undefined }): Caller {
  const connection = new Connection({
    socket,
    frameBytes: o.limits.frameBytes,
    onMessage: (message) => session.receive(parseRequest(message)),
    onClose: (error) => {
      void session.close();
      // A client that was killed resets the connection: that is its way of leaving.
      if (error && !('syscall' in error)) o.trouble({ kind: 'control.protocol', message: `an attached program was cut off: ${error.message}` });
    },
  });
  const session = new Session({ connection, service: o.service, limits: o.limits, roomy: o.roomy });
  connection.send({ type: 'hello', protocol: PROTOCOL, ...o.greeting } satisfies Reply);
  return {
    async finish() {
      await session.finish();
      connection.end();
    },
  };
}
