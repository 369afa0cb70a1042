// XEP-0065 §5, the requester's side: a port that is open for one connection of one peer, which brings the right hash.
import type { Socket } from 'node:net';
import type { Clock } from '../../clock.ts';
import { LanpostError } from '../../errors.ts';
import type { Streamhost } from '../../xep/bytestreams.ts';
import type { KnownPeer } from '../peers.ts';
import { type OwnAddress, plainAddress } from '../source-address.ts';
import type { Door, Tcp } from '../tcp.ts';
import { Socks5Host } from './socks5.ts';

export interface StreamhostInit {
  readonly tcp: Tcp;
  readonly clock: Clock;
  readonly interfaces: readonly { readonly name: string; readonly addresses: readonly OwnAddress[] }[];
  readonly peer: KnownPeer;
  /** Whether that is an address of the peer's. */
  readonly isPeer: (address: string) => boolean;
  /** The DST.ADDR that is asked for. */
  readonly destination: string;
  /** The `jid` of every streamhost. */
  readonly jid: string;
  /** Somebody else came, or the peer asked for something else. */
  readonly refused: (message: string) => void;
}

/** Connections in the middle of their first words, ms and how many. */
const HANDSHAKE = 10_000;
const CALLERS = 4;
const ADDRESSES = 8;

/** Listens where the peer can be, and nowhere else. */
export class StreamhostDoors {
  readonly streamhosts: Streamhost[] = [];
  /** The one connection. */
  readonly connected: Promise<Socket>;
  readonly #init: StreamhostInit;
  readonly #doors: Door[] = [];
  readonly #callers = new Set<Socket>();
  #closed = false;
  #connect: (socket: Socket) => void = () => undefined;

  constructor(init: StreamhostInit) {
    this.#init = init;
    this.connected = new Promise((resolve) => { this.#connect = resolve; });
  }

  async open(): Promise<void> {
    const { interfaces, peer, tcp, jid } = this.#init;
    const learnedOn = new Set(peer.addresses.map((one) => one.interface));
    const own = interfaces.filter(({ name }) => learnedOn.has(name)).flatMap(({ name, addresses }) => addresses.map((one) => ({ ...one, name })));
    // IPv4 first: libpurple tries them in this order, and it may not know this side's IPv6 address.
    for (const { address, name, family } of own.toSorted((a, b) => a.family - b.family).slice(0, ADDRESSES)) {
      const scoped = family === 6 && /^fe[89ab]/i.test(address) && !address.includes('%') ? `${address}%${name}` : address;
      // An address that is just coming or going is not the only one.
      const door = await tcp.listen(scoped, 0, (socket) => this.#came(socket)).catch(() => undefined);
      if (!door) continue;
      this.#doors.push(door);
      this.streamhosts.push({ jid, host: plainAddress(address), port: door.port });
    }
    if (this.streamhosts.length === 0) throw new LanpostError('unreachable', `there is no address on the link at which ${peer.name} could fetch the file`);
  }

  /** Nobody else comes in any more. */
  close(): void {
    this.#closed = true;
    // A connection in use keeps its door; nobody waits for that.
    for (const door of this.#doors.splice(0)) void door.close();
    for (const caller of this.#callers) caller.destroy();
  }

  #came(socket: Socket): void {
    const { isPeer, destination, clock, refused } = this.#init;
    socket.on('error', () => undefined); // who hangs up here is no trouble; who reads the connection sees its end
    const address = plainAddress(socket.remoteAddress ?? '');
    if (this.#closed || !isPeer(address) || this.#callers.size >= CALLERS) {
      if (!this.#closed) refused(`a connection from ${address} for a file was refused: not the peer it is for, or too many`);
      socket.destroy();
      return;
    }
    this.#callers.add(socket);
    const host = new Socks5Host(destination);
    const timer = clock.after(HANDSHAKE, () => socket.destroy());
    const leave = (): void => {
      timer.stop();
      this.#callers.delete(socket);
    };
    const hear = (bytes: Buffer): void => {
      const { send, state } = host.receive(bytes);
      if (send.length > 0) socket.write(send);
      if (state === 'more') return;
      socket.off('data', hear);
      if (state === 'refused') {
        refused(`a connection from ${address} asked for another file than there is`);
        socket.destroySoon();
        return;
      }
      socket.off('close', leave);
      leave();
      socket.pause();
      this.#connect(socket);
      this.close();
    };
    socket.once('close', leave);
    socket.once('end', () => { if (this.#callers.has(socket)) socket.destroy(); }); // before its last word
    socket.on('data', hear);
  }
}
