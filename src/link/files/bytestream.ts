// XEP-0065 §5 between this box and one peer, both roles. In the clear: it is what Pidgin and its like speak.
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { LanpostError } from '../../errors.ts';
import { buildStreamhosts, destination, parseUsed, type Streamhost } from '../../xep/bytestreams.ts';
import { dialable } from '../dialable.ts';
import type { KnownPeer } from '../peers.ts';
import { type OwnAddress, plainAddress } from '../source-address.ts';
import type { Tcp } from '../tcp.ts';
import type { Ask } from './in-band.ts';
import { Socks5Client } from './socks5.ts';
import type { Source } from './source.ts';
import { StreamhostDoors, type StreamhostInit } from './streamhost.ts';
import { type Transfer, untilEnded } from './transfer.ts';

type Interfaces = readonly { readonly name: string; readonly addresses: readonly OwnAddress[] }[];

const BLOCK_BYTES = 65_536;
const CONNECT_TIME = 3_000;
/** How long the handshake may take, and what comes behind the last byte is looked out for, ms. */
const HANDSHAKE_TIME = 10_000;
const TAIL_TIME = 2_000;

/** Opens the doors, tells the peer where, and sends all of it over the connection that comes. */
export async function sendOverBytestream(sid: string, source: Source, transfer: Transfer, own: string, ask: Ask, init: Omit<StreamhostInit, 'destination' | 'jid'>): Promise<void> {
  const doors = new StreamhostDoors({ ...init, jid: own, destination: destination(sid, own, transfer.peer) });
  let socket: Socket | undefined;
  const cut = (): void => { socket?.destroy(); };
  transfer.ended.addEventListener('abort', cut, { once: true });
  try {
    await doors.open();
    const answer = await untilEnded(ask(buildStreamhosts({ sid, streamhosts: doors.streamhosts }), () => !transfer.over), transfer.ended);
    if (parseUsed(answer) !== own) throw new LanpostError('unsupported', `${transfer.peer} chose another way than it was offered`);
    const unconnected = new Promise<never>((_, reject) => {
      init.clock.after(TAIL_TIME, () => reject(new LanpostError('disconnected', `${transfer.peer} says that it has connected, and has not`)));
    });
    socket = await untilEnded(Promise.race([doors.connected, unconnected]), transfer.ended);
    await pour(source, socket, transfer);
  } finally {
    doors.close();
    transfer.ended.removeEventListener('abort', cut);
    socket?.destroy();
    // One that came after all.
    void doors.connected.then((late) => late.destroy());
  }
}

/** All of it, and then the peer's own end: it closes when it has what was announced. */
async function pour(source: Source, socket: Socket, transfer: Transfer): Promise<void> {
  const gone = new Promise<Error | undefined>((resolve) => {
    socket.once('error', resolve);
    for (const event of ['end', 'close']) socket.once(event, () => resolve(undefined));
  });
  const over = gone.then((error): never => {
    throw new LanpostError('disconnected', `${transfer.peer} ended the transfer`, error ? { cause: error } : {});
  });
  over.catch(() => undefined); // seen where it is waited for
  socket.resume(); // nothing is expected from there but the end
  for await (const block of source.blocks(BLOCK_BYTES)) {
    transfer.ended.throwIfAborted();
    if (!socket.writable) await over;
    if (!socket.write(block)) await Promise.race([once(socket, 'drain'), over]);
    transfer.moved(block.byteLength);
  }
  if (!socket.writable) await over;
  socket.end();
  const error = await untilEnded(gone, transfer.ended);
  if (error) throw new LanpostError('disconnected', `${transfer.peer} ended the transfer before it had everything`, { cause: error });
}

export interface Reached {
  readonly socket: Socket;
  readonly jid: string;
  /** The first bytes of the file, when they came at once. */
  readonly rest: Uint8Array;
}

/** §5.3.2: tries the streamhosts in their order. Only addresses that the peer announced, on the link where it did. */
export async function reachStreamhost(streamhosts: readonly Streamhost[], name: string, peer: KnownPeer | undefined, interfaces: Interfaces, tcp: Tcp, ended: AbortSignal): Promise<Reached | undefined> {
  for (const { jid, host, port } of streamhosts) {
    const announced = peer ? dialable(peer, interfaces).filter(({ address }) => plainAddress(address) === plainAddress(host)) : [];
    for (const { address } of announced) {
      ended.throwIfAborted();
      const socket = await tcp.connect(address, port, CONNECT_TIME).catch(() => undefined);
      if (ended.aborted) socket?.destroy();
      ended.throwIfAborted();
      const reached = socket && await greet(socket, name, ended);
      if (reached) return { ...reached, jid };
    }
  }
  return undefined;
}

/** The first words; nothing when the other side does not know them. */
async function greet(socket: Socket, name: string, ended: AbortSignal): Promise<Omit<Reached, 'jid'> | undefined> {
  socket.on('error', () => undefined); // it closes then, which is what is looked at
  const client = new Socks5Client(name);
  socket.setTimeout(HANDSHAKE_TIME, () => socket.destroy());
  const cut = (): void => void socket.destroy();
  ended.addEventListener('abort', cut, { once: true });
  let settled = false;
  try {
    return await new Promise((resolve) => {
      // A connection stays open on this side when the other has ended its own.
      for (const event of ['end', 'close']) socket.once(event, () => { if (!settled) socket.destroy(); resolve(undefined); });
      const hear = (bytes: Buffer): void => {
        const { send, state, rest } = client.receive(bytes);
        if (send.length > 0) socket.write(send);
        if (state === 'more') return;
        settled = true;
        socket.off('data', hear);
        socket.pause();
        socket.setTimeout(0);
        if (state === 'refused') socket.destroy();
        resolve(state === 'open' ? { socket, rest } : undefined);
      };
      socket.on('data', hear);
      socket.write(client.start());
    });
  } finally {
    ended.removeEventListener('abort', cut);
  }
}

/** Exactly what was announced: less is a failure, and so is more. */
export async function drink({ socket, rest }: Reached, transfer: Transfer, take: (bytes: Uint8Array) => Promise<void>): Promise<void> {
  const cut = (): void => void socket.destroy();
  transfer.ended.addEventListener('abort', cut, { once: true });
  let came = 0;
  const receive = async (bytes: Uint8Array): Promise<void> => {
    came += bytes.byteLength;
    if (came > transfer.size) throw new LanpostError('too-large', `${transfer.peer} sent more than it had announced`);
    if (bytes.byteLength > 0) await take(bytes);
    transfer.moved(bytes.byteLength);
    if (came < transfer.size) return;
    // COMPAT(libpurple 2.14): waits for us to close, with some of our first words unread. Whatever still comes is too much.
    socket.end();
    socket.setTimeout(TAIL_TIME, () => socket.destroy());
  };
  try {
    await receive(rest);
    for await (const bytes of socket as AsyncIterable<Uint8Array>) await receive(bytes);
  } catch (error) {
    transfer.ended.throwIfAborted();
    // Its reset is how libpurple hangs up; when everything is here it is no loss.
    if (error instanceof LanpostError || came < transfer.size) throw error instanceof LanpostError ? error : short(transfer, came, error);
  } finally {
    transfer.ended.removeEventListener('abort', cut);
    socket.destroy();
  }
  if (came < transfer.size) throw short(transfer, came);
}

function short(transfer: Transfer, came: number, cause?: unknown): LanpostError {
  return new LanpostError('disconnected', `${transfer.peer} ended the transfer after ${came} of ${transfer.size} bytes`, cause === undefined ? {} : { cause });
}
