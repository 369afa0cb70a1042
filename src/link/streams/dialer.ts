import type { Socket } from 'node:net';
import type { Clock } from '../../clock.ts';
import { LanpostError } from '../../errors.ts';
import { isLegal } from '../../xml/text.ts';
import { dialable } from '../dialable.ts';
import type { KnownPeer, Peers } from '../peers.ts';
import { type OwnAddress, plainAddress } from '../source-address.ts';
import type { Tcp } from '../tcp.ts';
import type { Line } from './line.ts';
import { Refusal } from './refusal.ts';
import type { LinkStream } from './stream.ts';

const CONNECT_TIME = 3_000;
/** COMPAT(libpurple 2.14): hangs up on whom it has not resolved yet, which takes it up to 1.5 s. */
const TRIES = 3;
const RETRY_AFTER = 1_000;
/** How long an answer to where a peer is now is waited for. */
const RESOLVE_TIME = 2_000;
/** How long a call that is coming in may keep us from calling. */
const CALLING_TIME = 2_000;

/** Makes a stream to the peer of that name of a connection; `opened` resolves with why it did not come about. */
export type Opener = (socket: Socket, address: string, name: string) => { readonly stream: LinkStream; readonly opened: Promise<Error | undefined> };

export interface DialerParts {
  readonly clock: Clock;
  readonly tcp: Tcp;
  readonly peers: Peers;
  readonly interfaces: () => readonly { readonly name: string; readonly addresses: readonly OwnAddress[] }[];
  /** Asks where it is now, for so many ms; what is answered is then among the peers. */
  readonly resolve: (name: string, ms: number) => Promise<unknown>;
  readonly closing: () => boolean;
  /** Whether another stream may be opened. */
  readonly makeRoom: () => boolean;
  /** Every stream there is, with the address at its other end. */
  readonly streams: () => Iterable<readonly [LinkStream, string]>;
  /** Nobody listens where it said (RFC 6762 §10.4). */
  readonly silent: (name: string) => void;
  /** What opens a stream, once it is loaded. */
  readonly opener: () => Promise<Opener>;
}

/** Opens a stream to a peer: at the addresses it announced, and not while it is calling itself. */
export class Dialer {
  readonly #parts: DialerParts;

  constructor(parts: DialerParts) {
    this.#parts = parts;
  }

  /** Dials, unless the peer is calling already. */
  async reach(line: Line): Promise<LinkStream> {
    const { name } = line;
    // COMPAT(libpurple 2.14): a stream whose header is no XML is deaf from then on.
    if (!isLegal(name)) throw new LanpostError('invalid-value', `the name ${JSON.stringify(name)} holds a character that XML cannot carry`);
    let last: Error | undefined;
    // Before anything is looked at: who called while it was being loaded is then among the streams.
    const open = await this.#parts.opener();
    // XEP-0174 §11.1: addresses change; where it is now is asked for while the place known last is tried.
    const resolved = this.#parts.resolve(name, RESOLVE_TIME).catch(() => undefined); // then the place known last is all there is
    for (let round = 0; round < TRIES; round += 1) {
      const peer = this.#parts.peers.get(name);
      if (this.#parts.closing()) throw new LanpostError('closed');
      if (!peer) throw new LanpostError('unreachable', `${name} is not on the link: see \`lanpost peers\``);
      const incoming = await this.#calling(line, peer);
      if (incoming) return incoming;
      if (!this.#parts.makeRoom()) throw new LanpostError('busy', 'Too many streams are open.');
      const { stream, reason, answered } = await this.#dial(open, line, peer);
      if (stream) return stream;
      last = reason;
      if (!answered) {
        // Nobody listens there: only another place is worth another try at once.
        await resolved;
        const now = this.#parts.peers.get(name);
        if (now && place(now) === place(peer)) break;
        continue;
      }
      await this.#pause(RETRY_AFTER);
      if (line.active) return line.active;
    }
    this.#parts.silent(name);
    throw new LanpostError('unreachable', `${name} cannot be reached: ${last?.message ?? 'it announces no address on this link'}`, { cause: last });
  }

  async #dial(open: Opener, line: Line, peer: KnownPeer): Promise<{ stream?: LinkStream; reason?: Error; answered: boolean }> {
    let reason: Error | undefined;
    let refused: LanpostError | undefined;
    let answered = false;
    for (const { address } of dialable(peer, this.#parts.interfaces())) {
      // It has called meanwhile: a place where nobody answers takes its time, and strangers may name many.
      if (line.standby) return { stream: line.standby, answered: true };
      let socket: Socket;
      try {
        socket = await this.#parts.tcp.connect(address, peer.port, CONNECT_TIME);
      } catch (error) {
        reason = error instanceof Error ? error : undefined;
        continue;
      }
      if (this.#parts.closing()) {
        socket.destroy();
        throw new LanpostError('closed');
      }
      // COMPAT(libpurple 2.14): when both call at once it drops its own call with the message in it. So
      // ours is taken back as long as it has not said a word. Between boxes both calls are let through.
      if (!peer.claims.box && this.#callersOf(peer).length > 0) {
        socket.destroy();
        const incoming = await this.#calling(line, peer);
        if (incoming) return { stream: incoming, answered: true };
        answered = true;
        break;
      }
      const { stream, opened } = open(socket, plainAddress(address), peer.name);
      reason = await opened;
      if (!reason) return { stream, answered: true };
      answered = true;
      if (reason instanceof Refusal && reason.kind !== 'peer') {
        // Anybody can say that the peer is at his address, too: nothing was sent to him, and the peer may be at the next.
        refused ??= new LanpostError(reason.kind === 'impostor' ? 'impostor' : 'unreachable', reason.message, { cause: reason });
        continue;
      }
      const incoming = await this.#calling(line, peer);
      if (incoming) return { stream: incoming, answered };
    }
    if (refused) throw refused;
    return { answered, ...(reason ? { reason } : {}) };
  }

  /** A stream that the peer has opened, or is opening. */
  async #calling(line: Line, peer: KnownPeer): Promise<LinkStream | undefined> {
    const until = this.#parts.clock.mono() + CALLING_TIME;
    for (let left = CALLING_TIME; left > 0 && !line.standby; left = until - this.#parts.clock.mono()) {
      const calls = this.#callersOf(peer);
      if (calls.length === 0) break;
      await Promise.race([...calls.map(stream => stream.negotiated), this.#pause(left)]);
    }
    return line.standby;
  }

  #pause(ms: number): Promise<void> {
    return new Promise(resolve => { this.#parts.clock.after(ms, resolve); });
  }

  #callersOf(peer: KnownPeer): LinkStream[] {
    const addresses = new Set(peer.addresses.map(({ address }) => plainAddress(address)));
    return [...this.#parts.streams()].flatMap(([stream, address]) => (stream.side === 'accepted' && stream.negotiating && addresses.has(address) ? [stream] : []));
  }
}

function place({ port, addresses }: KnownPeer): string {
  return [port, ...addresses.map(({ address }) => address).toSorted()].join(' ');
}
