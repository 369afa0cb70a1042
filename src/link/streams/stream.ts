// One stream to one peer: negotiated, then stanzas both ways, counted and confirmed where the peer
// can (XEP-0198). What has to outlive it is in its session.
import type { Timer } from '../../clock.ts';
import { LanpostError } from '../../errors.ts';
import { fingerprintOf } from '../../trust/fingerprint.ts';
import type { StreamEvent } from '../../xmpp/xml-stream.ts';
import { XmppSocket } from '../../xmpp/xmpp-socket.ts';
import { plainAddress } from '../source-address.ts';
import { Carried } from './carried.ts';
import { Farewell } from './farewell.ts';
import { Holds } from './holds.ts';
import type { Agreed, Side } from './negotiation.ts';
import { Opening } from './opening.ts';
import { Receiving } from './receiving.ts';
import { Refusal } from './refusal.ts';
import { Sending, type Sent } from './sending.ts';
import type { Session } from './session.ts';
import type { LinkStreamInit } from './stream-init.ts';
import { TIMING, type Timing } from './timing.ts';
import { Unproven } from './unproven.ts';

/** Bytes of a stranger that are dealt with before it is looked whether more should be read: on a stream that is not open yet, and later. */
const PORTION = { early: 1_024, open: 4_096 };

export class LinkStream {
  readonly side: Side;
  /** Monotonic time of its beginning. */
  readonly since: number;
  readonly #init: LinkStreamInit<LinkStream>;
  readonly #localAddress: string;
  readonly #timing: Timing;
  readonly #socket: XmppSocket;
  readonly #holds: Holds;
  readonly #opening: Opening;
  readonly #carried: Carried;
  readonly #unproven: Unproven;
  readonly #sending: Sending;
  readonly #receiving: Receiving;
  readonly #farewell: Farewell;
  /** Settles when it is ready, or will never be. */
  readonly negotiated: Promise<void>;
  #state: 'negotiating' | 'ready' | 'closing' | 'closed' = 'negotiating';
  #agreed: Agreed | undefined;
  #fingerprint: string | undefined;
  #reason: Error | undefined;
  /** Something is wrong with it that a resumption would carry on. */
  #final = false;
  #parted = false;
  #watch: Timer | undefined;

  constructor(init: LinkStreamInit<LinkStream>) {
    const { side, clock } = init;
    this.#init = init;
    this.side = side;
    this.#localAddress = plainAddress(init.socket.localAddress ?? '');
    this.since = clock.mono();
    this.#timing = { ...TIMING, ...init.timing };
    const socket = new XmppSocket({
      socket: init.socket, clock, limits: init.limits, lenientHeader: true,
      on: {
        header: event => this.#opening.header(event),
        stanza: (element, memory) => (this.#state === 'negotiating' ? this.#opening.stanza(element, memory) : this.#receiving.receive(element, memory)),
        portion: () => (this.isStranger ? PORTION[this.#state === 'negotiating' ? 'early' : 'open'] : Number.POSITIVE_INFINITY),
        read: () => this.#weigh(),
        end: () => this.#ending({ type: 'end' }),
        linger: () => this.#linger(),
        error: event => this.#ending(event),
        close: reason => this.#lost(reason),
      },
    });
    const holds = new Holds(socket, clock);
    const unproven = new Unproven(clock);
    const carried = new Carried(init.sessions, clock, text => void socket.write(text));
    this.#socket = socket;
    this.#holds = holds;
    this.#unproven = unproven;
    this.#carried = carried;
    this.#sending = new Sending({
      socket, clock, holds, carried, unproven, open: () => this.ready, overrun: error => this.destroy(error),
    });
    this.#receiving = new Receiving({
      socket, clock, holds, carried,
      handle: stanza => init.on.stanza(this, stanza),
      answer: reply => this.#sending.answer(reply),
      state: () => this.#state,
      pace: (element, memory = 0) => (this.isStranger ? init.pace?.(this, element, memory) ?? 0 : 0),
      roomy: () => init.roomy?.(),
      ends: (reason, final) => {
        this.#reason ??= reason;
        this.#final ||= final;
      },
    });
    this.#farewell = new Farewell({ socket, clock, carried, unproven });
    this.#opening = new Opening({
      socket, holds, side, clock, identity: init.identity, agree: init.agree, within: this.#timing.negotiation, unused: agreed => carried.unused(agreed),
    });
    this.negotiated = this.#negotiate();
  }

  get ready(): boolean {
    return this.#state === 'ready';
  }

  get negotiating(): boolean {
    return this.#state === 'negotiating';
  }

  get agreed(): Agreed | undefined {
    return this.#agreed;
  }

  /** Of the peer's key; hashed once, for every stanza is judged by it. */
  get fingerprint(): string | undefined {
    const spki = this.#agreed?.spki;
    return this.#fingerprint ??= spki && fingerprintOf(spki);
  }

  get isStranger(): boolean {
    const { fingerprint } = this;
    return fingerprint === undefined || this.#init.isPaired?.(fingerprint) !== true;
  }

  /** What only the two ends of the connection know; absent in the clear. */
  get binding(): Uint8Array | undefined {
    return this.#socket.exported('EXPORTER-lanpost-pairing', 32);
  }

  /** Stanzas sent that the peer may not have. */
  get unconfirmed(): number {
    return this.#carried.confirmations.pending + this.#unproven.pending;
  }

  /** One side has said farewell: until it is known whether the peer had read all. */
  get leaving(): Promise<void> | undefined {
    return this.#farewell.leaving;
  }

  /** Whether either side has said goodbye on it. */
  get parted(): boolean {
    return this.#parted || this.#opening.ended;
  }

  /** This side's address, as it was when the stream began. */
  get localAddress(): string {
    return this.#localAddress;
  }

  /** What may be resumed over another stream when this one breaks. */
  get session(): Session | undefined {
    return this.#carried.session;
  }

  /** Stanzas of the stream that this one resumed which their senders have to send again. */
  get lostBefore(): number {
    return this.#carried.lostBefore;
  }

  /** Whether there is room for another stanza without waiting. */
  get writable(): boolean {
    return this.#sending.writable;
  }

  drained(): Promise<void> {
    return this.#socket.drained();
  }

  /** `kept`: no log holds it, so that it must be kept here until it is confirmed. */
  send(stanza: string, kept = false, still?: () => boolean): Sent {
    return this.#sending.send(stanza, kept, still);
  }

  /** Monotonic time of the last byte from there. */
  get heardAt(): number {
    return this.#socket.lastReceived;
  }

  /** Nothing is read now for reasons of this side, so that its silence is ours. */
  get held(): boolean {
    return this.#holds.has('disk') || this.#holds.has('busy') || this.#holds.has('pace');
  }

  /** The peer counts stanzas, and so answers. */
  get managed(): boolean {
    return this.#carried.managed;
  }

  /** For how long a question is unanswered, and nothing else has come either; ms. */
  get unanswered(): number {
    const { askedAt } = this.#carried.confirmations;
    return askedAt === undefined || this.held ? 0 : this.#init.clock.mono() - Math.max(askedAt, this.heardAt, this.#holds.restUntil);
  }

  /** Whether the peer answers within `ms`. */
  async probe(ms: number): Promise<boolean> {
    if (!this.ready || !this.managed) return this.ready;
    return this.#carried.confirmations.probe(ms);
  }

  /** Waits until all that was sent is confirmed, but not longer than `ms`. */
  settled(ms: number): Promise<boolean> {
    return this.#carried.confirmations.settled(ms);
  }

  /** Confirms and awaits what can be within a short time, then says goodbye. */
  async close(): Promise<void> {
    this.#parted = true;
    if (this.#state === 'ready') {
      this.#state = 'closing';
      await this.#farewell.say(this.#timing.settle);
    }
    await this.#socket.close();
  }

  /** No goodbye, and no resumption. */
  destroy(reason?: Error): void {
    this.#final = true;
    this.#abandon(reason);
    this.#lost(reason);
  }

  /** What was not confirmed goes again over another stream: it must not come out of this one later, when the link is mended. */
  #abandon(reason?: Error): void {
    if (this.managed) this.#socket.reset(reason);
    else this.#socket.destroy(reason);
  }

  /** It holds too much while others need room. */
  exhausted(): void {
    this.#final = true;
    this.#reason ??= new LanpostError('busy', 'Too much is half received.');
    this.#opening.drop();
    void this.#socket.fail('resource-constraint', 'too much is half received');
    this.#weigh();
  }

  #weigh(): void {
    this.#init.held?.(this, this.#socket.memory + this.#opening.memory);
  }

  async #negotiate(): Promise<void> {
    try {
      this.#agreed = await this.#opening.agreed();
    } catch (error) {
      this.#refuse(error instanceof Error ? error : new Error('negotiation failed', { cause: error }));
      return;
    }
    this.#carried.agree(this.#agreed);
    if (this.#state === 'negotiating' && !this.parted) {
      if (!this.#carried.claim()) return this.#refuse(new Refusal('peer', 'undefined-condition', 'the session is over'));
      this.#state = 'ready';
      this.#watch = this.#init.clock.every(this.#timing.look, () => this.#look());
      this.#carry();
      this.#receiving.begin();
      this.#init.on.ready(this);
    } else {
      this.#carried.unused(this.#agreed);
      if (this.#state === 'negotiating') this.#state = 'closing';
    }
    // Also when the peer has said all it wanted and is gone.
    for (const { element, memory } of this.#opening.takeEarly()) this.#receiving.receive(element, memory);
    this.#weigh();
  }

  #carry(): void {
    this.#carried.begin({
      write: text => void this.#socket.write(text),
      answer: reply => this.#sending.answer(reply),
      supersede: () => {
        this.#abandon();
        this.#lost(new LanpostError('disconnected', 'The peer goes on with another stream.'));
      },
    });
  }

  /** The socket answers the closing tag by itself; nothing more can be sent. */
  #ending(event: StreamEvent): void {
    if (this.#state === 'ready') this.#state = 'closing';
    this.#opening.end(event);
  }

  #linger(): Promise<void> | undefined {
    // With a session it has broken: nobody said goodbye.
    if (this.#state === 'ready' && !this.session) this.#state = 'closing';
    return this.#farewell.heard(this.#state === 'closing');
  }

  #refuse(error: Error): void {
    this.#reason ??= error;
    if (this.#state === 'closed') return;
    this.#state = 'closing';
    if (!(error instanceof Refusal)) this.#socket.destroy(error);
    // A peer that never said `version` has no idea of stream errors either.
    else if (error.kind === 'peer' || error.kind === 'refused' || !this.#opening.versioned) void this.#socket.close();
    else void this.#socket.fail(error.condition);
  }

  #look(): void {
    if (this.#state !== 'ready' || this.held) return;
    const { answer, idle } = this.#timing;
    if (!this.#init.stays && this.#init.clock.mono() - Math.max(this.#sending.lastAt, this.#receiving.lastAt) > idle && this.#carried.confirmations.isSettled) {
      void this.close();
    } else if (this.unanswered > answer) {
      this.#abandon(new LanpostError('timeout', 'The peer does not answer.'));
    }
  }

  #lost(cause: Error | undefined): void {
    if (this.#state === 'closed') return;
    const resumable = this.#state === 'ready' && !this.#final;
    this.#state = 'closed';
    this.#init.held?.(this, 0);
    this.#watch?.stop();
    this.#holds.stop();
    // After a closing tag a reset is how some peers hang up; it is no reason of its own.
    const reason = this.#reason ?? cause;
    this.#opening.lose(reason);
    this.#carried.lose(resumable);
    this.#init.on.closed(this, reason);
    this.#unproven.lost(new LanpostError('disconnected', 'The stream was lost.'));
  }
}
