import type { Socket } from 'node:net';
import type { ErrorCode } from '../../errors.ts';
import type { Peers } from '../peers.ts';
import { onLink, type OwnAddress, plainAddress } from '../source-address.ts';
import type { Doorman } from './doorman.ts';
import type { Loaded, StreamCode } from './stream-code.ts';
import type { Far } from './terms.ts';

export interface ReceptionInit {
  readonly doorman: Doorman;
  readonly code: StreamCode;
  readonly peers: Pick<Peers, 'at'>;
  readonly interfaces: () => readonly { readonly addresses: readonly OwnAddress[] }[];
  /** Whether the owner admits calls from that address, though nobody is announced there. */
  readonly admits?: ((address: string) => boolean) | undefined;
  /** So many may wait. */
  readonly most: number;
  readonly closing: () => boolean;
  /** Whether another stream may be opened. */
  readonly makeRoom: () => boolean;
  /** Begins a stream with the caller; `far`: one who is not announced here. */
  readonly answer: (code: Loaded, socket: Socket, address: string, far: Far | undefined) => void;
  readonly tell: (what: string, message: string, code?: ErrorCode) => void;
}

/** Where callers come in: from this link, or from where the owner admits them. */
export class Reception {
  readonly #init: ReceptionInit;
  /** Callers who came before the code of streams was there, the first of them first. */
  readonly #waiting = new Set<Socket>();

  constructor(init: ReceptionInit) {
    this.#init = init;
  }

  /** Somebody is at the door. */
  accepted(socket: Socket): void {
    const { doorman, code, peers, interfaces, admits, closing, tell } = this.#init;
    const address = plainAddress(socket.remoteAddress ?? '');
    socket.on('error', () => undefined); // until the stream takes it over; a caller that hangs up is no trouble
    const near = onLink(address, interfaces().flatMap(({ addresses }) => addresses));
    if (closing() || !(near || admits?.(address)) || !doorman.admits(address)) {
      socket.destroy();
      tell('refused', `a connection from ${address} was refused: not on this link, too many, or too often`);
      return;
    }
    socket.once('close', () => {
      this.#waiting.delete(socket);
      doorman.left(address);
    });
    // A link may carry no multicast: then who is admitted is a peer there as it would be elsewhere.
    const announced = near && (peers.at(address).length > 0 || admits?.(address) !== true);
    const far: Far | undefined = announced ? undefined : { host: address, port: 0, via: { kind: 'caller' } };
    if (code.loaded) {
      this.#answer(code.loaded, socket, address, far);
      return;
    }
    this.#wait(socket);
    code.load().then(loaded => this.#answer(loaded, socket, address, far), (error: unknown) => {
      socket.destroy();
      tell('stream', error instanceof Error ? error.message : String(error), 'unsupported');
    });
  }

  /** What the caller says meanwhile waits in the socket. No more of them than streams: the oldest gives way. */
  #wait(socket: Socket): void {
    const { most, tell } = this.#init;
    const [oldest] = this.#waiting;
    if (oldest && this.#waiting.size >= most) {
      this.#waiting.delete(oldest);
      oldest.destroy();
      tell('full', `${most} callers are waiting; the first of them was turned away`);
    }
    this.#waiting.add(socket);
  }

  #answer(loaded: Loaded, socket: Socket, address: string, far: Far | undefined): void {
    const { closing, makeRoom, answer } = this.#init;
    this.#waiting.delete(socket);
    if (closing() || socket.destroyed || !makeRoom()) socket.destroy();
    else answer(loaded, socket, address, far);
  }
}
