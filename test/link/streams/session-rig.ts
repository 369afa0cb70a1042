import { Duplex } from 'node:stream';
import type { Socket } from 'node:net';
import type { TrustLevel } from '../../../src/api.ts';
import { createTestClock, type TestClock } from '../../../src/clock.ts';
import { enableAsAsked, enableOrResume, type Managed } from '../../../src/link/streams/enabling.ts';
import type { Channel } from '../../../src/link/streams/negotiation.ts';
import { Sessions } from '../../../src/link/streams/sessions.ts';
import { LinkStream } from '../../../src/link/streams/stream.ts';
import { fingerprintOf } from '../../../src/trust/fingerprint.ts';
import { attr, type Element, xml } from '../../../src/xmpp/element.ts';
import { Bell } from '../../support/bell.ts';

/** One end of a connection in memory; what goes out counts against the cut that both directions share. */
class Half extends Duplex {
  other!: Half;
  readonly #cut: { left: number };

  constructor(cut: { left: number }) {
    super();
    this.#cut = cut;
    this.on('error', () => undefined); // the other end is gone, which it sees as well
  }

  setNoDelay(): this {
    return this;
  }

  override _read(): void { /* pushed as it comes */ }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error) => void): void {
    const part = chunk.subarray(0, this.#cut.left);
    this.#cut.left -= part.length;
    if (part.length > 0 && !this.other.destroyed) this.other.push(part);
    if (this.#cut.left === 0) {
      // What was let through is read before the end is seen.
      setImmediate(() => { this.destroy(); this.other.destroy(); });
    }
    done();
  }

  override _final(done: () => void): void {
    if (!this.other.destroyed) this.other.push(null);
    done();
  }
}

/** As much of a socket as a stream uses. */
function socketOf(half: Duplex): Socket {
  return half as Socket;
}

/** A box as far as its sessions go: what it sends is numbered, kept until it is confirmed and sent again when it was lost. */
export class SessionEnd {
  readonly name: string;
  readonly sessions: Sessions;
  readonly clock: TestClock;
  readonly #bell: Bell;
  stream: LinkStream | undefined;
  /** What arrived, in order: messages, requests; and the answers to requests of its own. */
  readonly messages: string[] = [];
  readonly requests: string[] = [];
  readonly answers: string[] = [];
  /** What became of messages of its own, in order. */
  readonly outcomes: string[] = [];
  /** Sends messages back. */
  refusing = false;
  /** Of messages that are not confirmed. */
  #outbox: string[] = [];
  /** Of those, on their way. */
  readonly #away = new Set<string>();
  resumed = 0;
  failing = false;
  /** Turns of the event loop that a stanza takes to be durable. */
  slow = 0;
  /** Nothing that comes is durable before. */
  stalled: Promise<void> | undefined;
  failed = 0;
  readonly level = new Map<string, TrustLevel>();

  constructor(name: string, bell: Bell) {
    this.name = name;
    this.#bell = bell;
    this.clock = createTestClock();
    this.sessions = new Sessions({
      clock: this.clock, self: () => ({ name, fingerprint: fingerprintOf(Buffer.from(name)) }), level: key => this.level.get(key) ?? 'seen', gaveUp: () => undefined,
    });
  }

  get unconfirmed(): number {
    return this.#outbox.length;
  }

  say(text: string): void {
    this.#outbox.push(text);
    this.#send(text);
  }

  ask(text: string): void {
    this.stream?.send(`<iq type='get' id='${text}'/>`, true);
  }

  #send(text: string): void {
    if (!this.stream?.ready) return;
    const confirmed = (): void => {
      this.#outbox = this.#outbox.filter(one => one !== text);
      this.outcomes.push(`${text} delivered`);
      this.#bell.ring();
    };
    this.#away.add(text);
    // Lost, it is sent again with the next stream.
    this.stream.send(`<message id='${text}'/>`).delivered?.then(confirmed, () => { this.#away.delete(text); });
  }

  /** What comes in is durable a few turns later. */
  async receive(stanza: Element): Promise<Element | undefined> {
    setImmediate(() => this.#bell.ring());
    const id = attr(stanza, 'id') ?? '';
    if (attr(stanza, 'type') === 'error') {
      this.outcomes.push(`${id} refused`);
      return undefined;
    }
    for (let turns = id.length % 3 + this.slow; turns > 0; turns -= 1) await new Promise(resolve => { setImmediate(resolve); });
    await this.stalled;
    if (this.failing) {
      this.failed += 1;
      this.#bell.ring();
      throw new Error('no disk');
    }
    const isAnswer = attr(stanza, 'type') === 'result';
    (stanza.getName() === 'message' ? this.messages : isAnswer ? this.answers : this.requests).push(id);
    this.#bell.ring();
    if (this.refusing && stanza.getName() === 'message') return xml('message', { type: 'error', id });
    return stanza.getName() === 'iq' && !isAnswer ? xml('iq', { type: 'result', id }) : undefined;
  }

  /** As Line does: a stream that does not go on with the session ends it; what was lost goes first. */
  ready(stream: LinkStream): void {
    const before = this.stream?.session;
    if (before && before !== stream.session) this.sessions.end(before);
    this.stream = stream;
    const resumed = stream.agreed?.resumed !== undefined;
    if (resumed) this.resumed += 1;
    // What the peer has confirmed with its h is taken out before.
    if (!resumed || stream.lostBefore > 0) queueMicrotask(() => { for (const text of this.#outbox) if (!this.#away.has(text)) this.#send(text); });
    this.#bell.ring();
  }

  lost(): void {
    this.#bell.ring();
  }
}

export class SessionRig {
  readonly bell = new Bell();
  readonly a = new SessionEnd('a', this.bell);
  readonly b = new SessionEnd('b', this.bell);
  connections = 0;
  readonly #halves: Half[] = [];

  /** A new connection that is cut when that many bytes have gone over it, in both directions together. */
  async connect(dialler: SessionEnd, cutAfter = Number.POSITIVE_INFINITY): Promise<void> {
    this.connections += 1;
    const answerer = dialler === this.a ? this.b : this.a;
    const cut = { left: cutAfter };
    const [near, far] = [new Half(cut), new Half(cut)];
    this.#halves.push(near, far);
    near.other = far;
    far.other = near;
    const streams = [this.#stream(dialler, answerer.name, near, 'dialled'), this.#stream(answerer, dialler.name, far, 'accepted')];
    await Promise.all(streams.map(({ negotiated }) => negotiated));
  }

  /** Until a stream that was cut is lost at both ends. */
  /** Cuts what there is. */
  cut(): void {
    for (const half of this.#halves.splice(0)) half.destroy();
  }

  get isBroken(): boolean {
    return [this.a, this.b].every(({ stream }) => !stream || !(stream.ready || stream.negotiating));
  }

  #stream(end: SessionEnd, peer: string, half: Half, side: 'dialled' | 'accepted'): LinkStream {
    const spki = Buffer.from(peer);
    const key = { name: peer, fingerprint: fingerprintOf(spki) };
    const agree = async (channel: Channel): Promise<Managed & { peer: string; tls: boolean; spki: Uint8Array }> => {
      const element = async (): Promise<Element> => {
        const event = await channel.next();
        if (event?.type !== 'stanza') throw new Error('a stanza was expected');
        return event.element;
      };
      channel.header({ from: end.name, to: peer, version: '1.0' });
      await channel.next();
      const managed = side === 'dialled'
        ? await enableOrResume(end.sessions, key, { write: one => channel.write(one), element })
        : await enableAsAsked(end.sessions, key, { write: one => channel.write(one), next: () => channel.next(), unread: event => channel.unread(event) });
      return { peer, tls: true, spki, ...managed };
    };
    return new LinkStream({
      socket: socketOf(half), side, clock: end.clock, limits: { stanzaBytes: 262_144, depth: 32 }, identity: { key: '', cert: '' },
      agree, sessions: end.sessions,
      on: { ready: stream => end.ready(stream), stanza: (_, stanza) => end.receive(stanza), closed: () => end.lost() },
    });
  }
}
