// One stream to one peer: negotiated, then stanzas both ways, counted and confirmed where the peer
// can (XEP-0198). What has to outlive it is in its session.
import type { Socket } from 'node:net';
import type { Clock, Timer } from '../clock.ts';
import { LanpostError } from '../errors.ts';
import { fingerprintOf } from '../trust/fingerprint.ts';
import type { XmlLimits } from '../xml/reader.ts';
import { Arrivals } from '../xmpp/arrivals.ts';
import { type Element, namespaceOf, serialize, xml } from '../xmpp/element.ts';
import { stanzaKind } from '../xmpp/stanza.ts';
import { NS_STANZAS } from '../xmpp/stanza-error.ts';
import { isStreamError, streamFaultOf } from '../xmpp/stream-error.ts';
import { NS_SM } from '../xmpp/stream-management.ts';
import { linkTls, peerSpki } from '../xmpp/tls.ts';
import { NS_CLIENT, NS_STREAM, type StreamEvent } from '../xmpp/xml-stream.ts';
import { XmppSocket } from '../xmpp/xmpp-socket.ts';
import { ANSWER_AT_LATEST, Confirmations, type Unconfirmed } from './confirmations.ts';
import { Holds } from './holds.ts';
import { type Agreed, type Channel, NS_TLS, type Side } from './negotiation.ts';
import { Refusal } from './refusal.ts';
import { plainAddress } from './source-address.ts';
import type { Session } from './session.ts';
import type { Sessions } from './sessions.ts';
import { TIMING, type Timing } from './timing.ts';
import { Unproven } from './unproven.ts';

export interface LinkStreamInit {
  readonly socket: Socket;
  readonly side: Side;
  readonly clock: Clock;
  readonly limits: XmlLimits;
  readonly identity: { readonly key: string; readonly cert: string };
  readonly agree: (channel: Channel) => Promise<Agreed>;
  readonly sessions: Pick<Sessions, 'carried' | 'suspend' | 'end' | 'back'>;
  readonly on: LinkStreamCallbacks;
  /** After each stanza of a peer without a key: how long to read nothing. */
  readonly pace?: () => number;
  /** Set while too much waits for the disk: resolves when it does not any more. */
  readonly roomy?: () => Promise<void> | undefined;
  readonly isPaired?: (fingerprint: string) => boolean;
  /** What of it is half received takes so many bytes of memory. */
  readonly held?: (stream: LinkStream, bytes: number) => void;
  readonly timing?: Partial<Timing>;
  /** It is not closed for being idle: nothing else says that the peer is there. */
  readonly stays?: boolean;
}

export interface LinkStreamCallbacks {
  ready(stream: LinkStream): void;
  /**
   * Resolves, perhaps with a reply, when what the stanza caused is durable: only then does `h` count it.
   * Rejects when that cannot be: the stream ends, and the peer sends it again later.
   */
  stanza(stream: LinkStream, stanza: Element): Promise<Element | undefined>;
  /** Once, last. `reason` is a Refusal when there never was a stream. */
  closed(stream: LinkStream, reason: Error | undefined): void;
}

/** Stanzas being worked on, above and below which the peer is not, and again, read from. */
const BUSY = 256;
const CALM = 128;
/** Stanzas that may come before the stream is open; then nothing is read until those are wanted. */
const EARLY = 8;
/** Stanzas sent to a peer that counts them and never says so, as answers to what it goes on asking. */
const UNCONFIRMED = 16_384;
/** How long after a peer's farewell the answer of its system to what crossed that is waited for. */
const FAREWELL_TIME = 200;
/** Bytes of answers a peer may leave untaken before it is no longer read. */
const UNTAKEN = 1 << 20;

export interface Sent {
  /** With the system; rejects when the stream broke first. */
  readonly handed: Promise<void>;
  /** The peer's `h` covers it. */
  readonly delivered?: Promise<void>;
  /** Of a peer that confirms nothing: it was there to read it. Rejects when it cannot have read it. */
  readonly taken?: Promise<void>;
}

/** Waits for an answer's confirmation: its asker may be gone. */
const NOBODY: Unconfirmed = { resolve: () => undefined, reject: () => undefined };

export class LinkStream {
  readonly side: Side;
  /** Monotonic time of its beginning. */
  readonly since: number;
  readonly #init: LinkStreamInit;
  readonly #localAddress: string;
  readonly #timing: Timing;
  readonly #socket: XmppSocket;
  readonly #arrivals: Arrivals;
  /** Settles when it is ready, or will never be. */
  readonly negotiated: Promise<void>;
  #state: 'negotiating' | 'ready' | 'closing' | 'closed' = 'negotiating';
  #agreed: Agreed | undefined;
  #fingerprint: string | undefined;
  #reason: Error | undefined;
  #versioned = false;
  #confirmations: Confirmations;
  readonly #unproven: Unproven;
  #session: Session | undefined;
  #lostBefore = 0;
  /** Something is wrong with it that a resumption would carry on. */
  #final = false;
  readonly #holds: Holds;
  #lastStanza: number;
  #ended = false;
  #parted = false;
  #leaving: Promise<void> | undefined;
  #watch: Timer | undefined;

  constructor(init: LinkStreamInit) {
    this.#init = init;
    this.side = init.side;
    this.#localAddress = plainAddress(init.socket.localAddress ?? '');
    this.since = init.clock.mono();
    this.#timing = { ...TIMING, ...init.timing };
    this.#arrivals = new Arrivals(init.clock);
    this.#lastStanza = init.clock.mono();
    this.#socket = new XmppSocket({
      socket: init.socket, clock: init.clock, limits: init.limits, lenientHeader: true,
      on: {
        header: event => {
          this.#versioned = event.attrs['version'] !== undefined;
          this.#arrivals.push(event);
        },
        stanza: (element, memory) => (this.#state === 'negotiating' ? this.#early(element, memory) : this.#receive(element)),
        read: () => this.#weigh(),
        end: () => this.#ending({ type: 'end' }),
        linger: () => this.#linger(),
        error: event => this.#ending(event),
        close: reason => this.#lost(reason),
      },
    });
    this.#holds = new Holds(this.#socket, init.clock);
    this.#unproven = new Unproven(init.clock);
    this.#confirmations = new Confirmations(init.clock, text => void this.#socket.write(text));
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
    return this.#confirmations.pending + this.#unproven.pending;
  }

  /** One side has said farewell: until it is known whether the peer had read all. */
  get leaving(): Promise<void> | undefined {
    return this.#leaving;
  }

  /** Whether either side has said goodbye on it. */
  get parted(): boolean {
    return this.#parted || this.#ended;
  }

  /** This side's address, as it was when the stream began. */
  get localAddress(): string {
    return this.#localAddress;
  }

  /** What may be resumed over another stream when this one breaks. */
  get session(): Session | undefined {
    return this.#session;
  }

  /** Stanzas of the stream that this one resumed which their senders have to send again. */
  get lostBefore(): number {
    return this.#lostBefore;
  }

  /** Whether there is room for another stanza without waiting. */
  get writable(): boolean {
    return this.#socket.buffered < 65_536;
  }

  drained(): Promise<void> {
    return this.#socket.drained();
  }

  /** `kept`: no log holds it, so that it must be kept here until it is confirmed. */
  send(stanza: string, kept = false): Sent {
    this.#write(stanza);
    if (!this.#agreed?.managed) {
      const handed = this.#flushed();
      handed.catch(() => undefined); // as below
      return { handed, taken: this.#unproven.sent() };
    }
    const delivered = new Promise<void>((resolve, reject) => { this.#confirmations.sent({ resolve, reject, ...(kept && this.#session ? { text: stanza } : {}) }); });
    delivered.catch(() => undefined); // whoever waits for it sees it; nobody has to
    return { handed: Promise.resolve(), delivered };
  }

  #write(stanza: string): void {
    if (this.#state !== 'ready') throw new LanpostError('disconnected', 'The stream is closed.');
    this.#socket.write(stanza);
    this.#lastStanza = this.#init.clock.mono();
  }

  /** Monotonic time of the last byte from there. */
  get heardAt(): number {
    return this.#socket.lastReceived;
  }

  /** Nothing is read now, so that its silence is ours. */
  get held(): boolean {
    return this.#holds.has('disk');
  }

  /** The peer counts stanzas, and so answers. */
  get managed(): boolean {
    return this.#agreed?.managed === true;
  }

  /** For how long a question is unanswered, and nothing else has come either; ms. */
  get unanswered(): number {
    const { askedAt } = this.#confirmations;
    return askedAt === undefined || this.held ? 0 : this.#init.clock.mono() - Math.max(askedAt, this.heardAt);
  }

  /** Whether the peer answers within `ms`. */
  async probe(ms: number): Promise<boolean> {
    if (this.#state !== 'ready' || !this.#agreed?.managed) return this.#state === 'ready';
    return this.#confirmations.probe(ms);
  }

  /** Waits until all that was sent is confirmed, but not longer than `ms`. */
  settled(ms: number): Promise<boolean> {
    return this.#confirmations.settled(ms);
  }

  /** Confirms and awaits what can be within a short time, then says goodbye. */
  async close(): Promise<void> {
    this.#parted = true;
    if (this.#state === 'ready') {
      this.#state = 'closing';
      const parting = this.#part();
      this.#leaving ??= parting;
      await parting;
    }
    await this.#socket.close();
  }

  /** Resolves when it is known what was read of all that was sent. */
  async #part(): Promise<void> {
    const settled = await this.settled(this.#timing.settle);
    await this.#unproven.settled();
    this.#acknowledge();
    if (!settled) await this.#socket.close();
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
    this.#arrivals.takeAll();
    void this.#socket.fail('resource-constraint', 'too much is half received');
    this.#weigh();
  }

  #weigh(): void {
    this.#init.held?.(this, this.#socket.memory + this.#arrivals.sum(arrival => (arrival.type === 'stanza' ? arrival.memory ?? 0 : 0)));
  }

  async #negotiate(): Promise<void> {
    const { clock, agree } = this.#init;
    let deadline: Timer | undefined;
    const expired = new Promise<never>((_, reject) => {
      deadline = clock.after(this.#timing.negotiation, () => reject(new Refusal('peer', 'connection-timeout', 'the peer took too long to open the stream')));
    });
    const agreeing = agree(this.#channel());
    try {
      // Not only what comes in is waited for: a TLS handshake may stall as well.
      this.#agreed = await Promise.race([agreeing, expired]);
      // COMPAT(libpurple 2.14): so it turns away whom it has not resolved yet: header, closing tag.
      if (this.#ended && this.side === 'dialled') throw new Refusal('peer', 'undefined-condition', 'the peer closed the stream at once');
    } catch (error) {
      this.#agreed = undefined;
      agreeing.then(late => this.#unused(late), () => undefined); // why it failed is known
      this.#refuse(error instanceof Error ? error : new Error('negotiation failed', { cause: error }));
      return;
    } finally {
      deadline?.stop();
    }
    if (this.#state === 'negotiating' && !this.parted) {
      if (this.#agreed.session && !this.#init.sessions.carried(this.#agreed.session)) return this.#refuse(new Refusal('peer', 'undefined-condition', 'the session is over'));
      this.#state = 'ready';
      this.#watch = clock.every(this.#timing.look, () => this.#look());
      this.#carry(this.#agreed);
      this.#init.on.ready(this);
    } else {
      this.#unused(this.#agreed);
      if (this.#state === 'negotiating') this.#state = 'closing';
    }
    this.#holds.release('early');
    // Also when the peer has said all it wanted and is gone.
    for (const event of this.#arrivals.takeAll()) if (event.type === 'stanza') this.#receive(event.element);
    this.#weigh();
  }

  #carry({ session, resumed }: Agreed): void {
    if (!session) return;
    this.#session = session;
    this.#confirmations = session.confirmations;
    this.#lostBefore = session.carry({
      write: text => void this.#socket.write(text),
      answer: reply => this.#answer(reply),
      supersede: () => {
        this.#abandon();
        this.#lost(new LanpostError('disconnected', 'The peer goes on with another stream.'));
      },
    }, resumed?.h ?? 0);
  }

  /** The stream did not come about: what it was to carry is another's. */
  #unused({ session, resumed }: Agreed): void {
    if (resumed) this.#init.sessions.back(resumed.claim);
    else if (session) this.#init.sessions.end(session);
  }

  #early(element: Element, memory: number): void {
    this.#arrivals.push({ type: 'stanza', element, memory });
    if (this.#arrivals.size >= EARLY) this.#holds.hold('early');
  }

  /** The socket answers the closing tag by itself; nothing more can be sent. */
  #ending(event: StreamEvent): void {
    if (this.#state === 'ready') this.#state = 'closing';
    this.#ended = true;
    this.#arrivals.push(event);
  }

  /**
   * COMPAT(libpurple 2.14): closes without waiting for our closing tag, so what it has not read by then is lost without
   * a word. A write tells whether its system has said so; a closing tag at once would itself be answered so.
   */
  #linger(): Promise<void> | undefined {
    // With a session it has broken: nobody said goodbye.
    if (this.#state === 'ready' && !this.#session) this.#state = 'closing';
    if (this.#state === 'closing' && this.#agreed?.managed && this.#confirmations.pending > 0) this.#leaving ??= this.#socket.close();
    if (this.#unproven.pending === 0) return undefined;
    this.#leaving ??= new Promise(resolve => {
      this.#init.clock.after(FAREWELL_TIME, () => {
        // When it fails the connection is over, and what is unproven with it.
        this.#socket.socket.write(' ', error => {
          if (!error) this.#unproven.taken();
          resolve();
        });
      });
    });
    return this.#leaving;
  }

  #refuse(error: Error): void {
    this.#reason ??= error;
    if (this.#state === 'closed') return;
    this.#state = 'closing';
    if (!(error instanceof Refusal)) this.#socket.destroy(error);
    // A peer that never said `version` has no idea of stream errors either.
    else if (error.kind === 'peer' || error.kind === 'refused' || !this.#versioned) void this.#socket.close();
    else void this.#socket.fail(error.condition);
  }

  #channel(): Channel {
    const socket = this.#socket;
    return {
      next: ms => {
        if (this.#arrivals.size === 0) this.#holds.release('early');
        return this.#arrivals.next(ms);
      },
      unread: event => this.#arrivals.unread(event),
      header: attributes => {
        socket.open(xml('stream:stream', { xmlns: NS_CLIENT, 'xmlns:stream': NS_STREAM, ...attributes }));
      },
      write: element => void socket.write(element),
      restart: () => socket.restart(),
      secure: async side => {
        // RFC 6120 §5.4.3.3: whatever came in the clear beyond this point must not count as protected.
        if (this.#arrivals.takeAll().length > 0) throw new Refusal('protocol', 'policy-violation', 'more was sent before TLS than belongs there');
        this.#holds.release('early');
        return peerSpki(await socket.secure(side === 'dialled' ? 'client' : 'server', linkTls(this.#init.identity)));
      },
    };
  }

  #receive(element: Element): void {
    if (isStreamError(element)) {
      this.#final = true;
      this.#reason ??= new LanpostError('disconnected', `The peer ended the stream: ${streamFaultOf(element).condition}.`);
    } else if (namespaceOf(element) === NS_SM) {
      this.#manage(element);
    } else if (stanzaKind(element)) {
      void this.#arrive(element);
    } else if (namespaceOf(element) === NS_TLS) {
      this.#final = true;
      this.#socket.write(xml('failure', { xmlns: NS_TLS }));
      void this.#socket.close();
    }
  }

  #manage(element: Element): void {
    const name = element.getName();
    // XEP-0198 §3, §5: not without TLS and a key, not twice, and not once stanzas have been sent.
    if (name === 'enable' || name === 'resume') {
      this.#socket.write(xml('failed', { xmlns: NS_SM }, xml('unexpected-request', { xmlns: NS_STANZAS })));
      return;
    }
    if (!this.#agreed?.managed) return;
    try {
      this.#confirmations.receive(element);
    } catch (error) {
      this.#final = true;
      this.#reason ??= error instanceof Error ? error : undefined;
      void this.#socket.fail('undefined-condition', 'a bad h');
    }
  }

  async #arrive(element: Element): Promise<void> {
    const session = this.#session;
    const n = this.#confirmations.arrived();
    this.#lastStanza = this.#init.clock.mono();
    if (this.#confirmations.unhandled >= BUSY) this.#holds.hold('busy');
    if (!this.#agreed?.spki) this.#holds.pace(this.#init.pace?.() ?? 0);
    try {
      const handling = this.#init.on.stanza(this, element);
      this.#crowd();
      const reply = await handling;
      if (reply && this.#state === 'ready') this.#answer(reply);
      else if (reply && this.#state === 'closed') session?.answer(reply);
    } catch (error) {
      session?.spoil();
      if (this.#state === 'closed') return;
      this.#reason ??= error instanceof Error ? error : new Error('a handler failed', { cause: error });
      void this.#socket.fail('internal-server-error');
      return;
    }
    this.#confirmations.handled(n);
    if (this.#state === 'closed') return;
    if (this.#holds.has('disk') && this.#confirmations.unhandled === 0) this.#acknowledge();
    if (this.#confirmations.unhandled < CALM) this.#holds.release('busy');
  }

  #answer(reply: Element): void {
    if (this.#confirmations.pending >= UNCONFIRMED) return this.destroy(new LanpostError('disconnected', 'The peer confirms nothing.'));
    const text = serialize(reply);
    this.#write(text);
    if (this.#agreed?.managed) this.#confirmations.sent(this.#session ? { ...NOBODY, text } : NOBODY);
    if (this.#socket.buffered < UNTAKEN || this.#holds.has('answers')) return;
    this.#holds.hold('answers');
    void this.#socket.drained().then(() => this.#holds.release('answers'));
  }

  /** What may come next is not read while too much waits for the disk. */
  #crowd(): void {
    const roomy = this.#holds.has('disk') ? undefined : this.#init.roomy?.();
    if (roomy) void this.#wait(roomy);
  }

  async #wait(roomy: Promise<void>): Promise<void> {
    this.#holds.hold('disk');
    // Its questions are not read either, so it is told unasked (XEP-0198 §4) how far this side is.
    const telling = this.#init.clock.every(ANSWER_AT_LATEST, () => this.#acknowledge());
    await roomy;
    telling.stop();
    // The peer's answer may be among what was not read.
    this.#confirmations.unask();
    this.#holds.release('disk');
  }

  #acknowledge(): void {
    if (this.#agreed?.managed) this.#confirmations.acknowledge();
  }

  #look(): void {
    if (this.#state !== 'ready' || this.held) return;
    const { answer, idle } = this.#timing;
    if (!this.#init.stays && this.#init.clock.mono() - this.#lastStanza > idle && this.#confirmations.isSettled) {
      void this.close();
    } else if (this.unanswered > answer) {
      this.#abandon(new LanpostError('timeout', 'The peer does not answer.'));
    }
  }

  /** All written so far has left the process: an empty write waits its turn behind it. */
  #flushed(): Promise<void> {
    return new Promise((resolve, reject) => {
      setImmediate(() => {
        if (this.#socket.closed) reject(new LanpostError('disconnected'));
        else this.#socket.socket.write('', error => (error ? reject(new LanpostError('disconnected', undefined, { cause: error })) : resolve()));
      });
    });
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
    this.#arrivals.lose(reason ?? new Refusal('peer', 'undefined-condition', 'the peer closed the connection before the stream was open'));
    const lost = new LanpostError('disconnected', 'The stream was lost before the peer confirmed.');
    if (!this.#session) this.#confirmations.lose(lost);
    else if (resumable) this.#init.sessions.suspend(this.#session);
    else this.#init.sessions.end(this.#session, lost);
    this.#init.on.closed(this, reason);
    this.#unproven.lost(new LanpostError('disconnected', 'The stream was lost.'));
  }
}
