// One XMPP session with a home: it may outlive its connection (XEP-0198 §5). Everything sent is kept by
// whoever sent it; the session knows how to have it said again.
import type { Clock, Timer } from '../clock.ts';
import { LanpostError } from '../errors.ts';
import { buildPing } from '../xep/ping.ts';
import { attr, namespaceOf, serialize, xml, type Element } from '../xmpp/element.ts';
import { IqCaller } from '../xmpp/iq.ts';
import { bare } from '../xmpp/jid.ts';
import { errorReply, stanzaKind } from '../xmpp/stanza.ts';
import { StanzaError } from '../xmpp/stanza-error.ts';
import { HandledCountTooHigh, NS_SM, parseH, StreamManagement } from '../xmpp/stream-management.ts';
import type { Wire } from '../xmpp/wire.ts';
import { Liveness, type SessionTiming } from './liveness.ts';
import { WINDOW } from './window.ts';

export { SESSION_TIMING, type SessionTiming } from './liveness.ts';

/** What was sent: how to say it again, and whom to tell that the server has it. */
interface Sent {
  /** In characters, about. */
  readonly length: number;
  again(): Element;
  handed?(): void;
  /** The session is over before the server said that it has it. */
  dropped?(): void;
}

export interface SessionOptions {
  readonly clock: Clock;
  /** Full JID. */
  readonly jid: string;
  /** Takes what is no answer; resolves with a reply when what the stanza caused is safe. */
  readonly receive?: ((stanza: Element) => Promise<Element | undefined>) | undefined;
  /** Takes notifications of what is followed, before anybody else; undefined for what is none. */
  readonly events?: ((stanza: Element) => Promise<undefined> | undefined) | undefined;
  readonly trouble: (message: string) => void;
  /** Set while too much waits for the disk: resolves when it does not any more. */
  readonly roomy?: (() => Promise<void> | undefined) | undefined;
  readonly managed: boolean;
  readonly timing: SessionTiming;
}

/** Stanzas of the other side that may be in work at once. */
const MAX_UNHANDLED = 256;
/** It is asked what it has after so many stanzas. Each question costs ejabberd about as much as a publish: every 16th, what goes up took an eighth longer. */
const ASK_EVERY = 128;
/** Stanzas kept for a server that does not say that it has them, although it was asked. */
const MAX_UNACKED = 1024;
/** Requests at once beside the items on their way up: what a node is like, pings, commands. */
const OTHER_REQUESTS = 128;
/** How often it may be waited for the proof once more, while other things come. */
const PROOF_TIMES = 6;
/** Bytes of replies that took their time, and that the server does not have yet. */
const MAX_ANSWERING = 1 << 20;

export class HomeSession {
  readonly jid: string;
  readonly iq: IqCaller;
  readonly #options: SessionOptions;
  readonly #sm = new StreamManagement<Sent>({ askEvery: ASK_EVERY });
  #socket: Wire | undefined;
  readonly #liveness: Liveness;
  #paused = false;
  /** Too much waits for the disk already. */
  #crowded = false;
  #ended = false;
  #broken = false;
  /** Runs until the server has shown that it hears what is said on the session it took up again. */
  #proof: Timer | undefined;
  #proven: (() => void) | undefined;
  /** Grows with each connection: what an earlier one brought is numbered anew. */
  #life = 0;
  #inWork = 0;
  #answering = 0;
  #quiet: (() => void)[] = [];

  constructor(options: SessionOptions) {
    this.#options = options;
    this.jid = options.jid;
    this.#liveness = new Liveness({ clock: options.clock, timing: options.timing, ask: (socket) => this.#ask(socket), reads: () => !this.#paused, length: () => this.#sm.unacked().reduce((most, { length }) => Math.max(most, length), 0) });
    const self = bare(options.jid) ?? options.jid;
    this.iq = new IqCaller({
      clock: options.clock, limit: WINDOW.most + OTHER_REQUESTS,
      send: (iq, _still, again) => this.send(iq, again ? { again: () => { again(); return iq; } } : {}),
      self: () => [self, options.jid, self.slice(self.indexOf('@') + 1)],
    });
  }

  /** See `HomeStatus`. */
  get unanswered(): number | undefined {
    return this.#liveness.unanswered;
  }

  get h(): number {
    return this.#sm.h;
  }

  get attached(): boolean {
    return this.#socket !== undefined;
  }

  /** The two sides do not agree on what was said: it must not be taken up again. */
  get broken(): boolean {
    return this.#broken;
  }

  /** Whether, within `ms`, all that came is handled: only then does `h` say what must not be sent again. */
  async quiet(ms: number): Promise<boolean> {
    if (this.#inWork > 0) {
      await new Promise<void>((resolve) => {
        const timer = this.#options.clock.after(ms, resolve);
        this.#quiet.push(() => {
          timer.stop();
          resolve();
        });
      });
    }
    return this.#inWork === 0;
  }

  /** What the server says it had when it gave the session up (XEP-0198 §5). */
  confirm(h: number): void {
    try {
      for (const sent of this.#sm.ack(h)) sent.handed?.();
    } catch (error) {
      if (!(error instanceof HandledCountTooHigh)) throw error;
      this.#options.trouble(error.message);
    }
  }

  /** A connection carries the session from here on; `h` is what the server says it has, of a session taken up again. */
  attach(socket: Wire, h?: number): void {
    this.#socket = socket;
    this.#life++;
    if (h !== undefined) {
      this.#sm.resumed();
      this.#acknowledged(h);
      this.#prove(socket);
      // XEP-0198 §5: what is still unhandled MUST be sent again; it keeps its place in the count.
      for (const sent of this.#sm.unacked()) this.#socket?.write(sent.again());
    }
    this.#liveness.watch(socket);
    if (this.#sm.pending > 0) this.#liveness.ask();
  }

  /**
   * Prosody 0.12 goes on to read where the old connection was cut: within a stanza, all that follows is part of that for it, and it
   * answers nothing any more on this connection or the next.
   */
  #prove(socket: Wire): void {
    this.#ask(socket);
    this.#awaitProof(socket, 0);
  }

  /** Calls, once, when that is shown: what the server had to say again has come by then. */
  onProof(call: () => void): void {
    this.#proven = call;
  }

  /** What the server had to say again comes before its answer, and the road may be slow: it has as much time again, a few times. */
  #awaitProof(socket: Wire, waited: number): void {
    const { clock, timing } = this.#options;
    const since = clock.mono();
    this.#proof = clock.after(timing.proof, () => {
      if (this.#paused) return this.#awaitProof(socket, waited);
      if (socket.lastReceived > since && waited < PROOF_TIMES) return this.#awaitProof(socket, waited + 1);
      this.#broken = true;
      socket.destroy(new LanpostError('disconnected', 'The server took the session up again, and did not say that it hears anything on it.'));
    });
  }

  /** The connection has gone; the session may yet be taken up again. */
  detach(): void {
    this.#proof?.stop();
    this.#proven = undefined;
    this.#socket = undefined;
    this.#liveness.stop();
    this.#paused = false;
  }

  /** It will not be taken up again: every open request rejects with `disconnected`. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.detach();
    this.iq.close();
    for (const sent of this.#sm.unacked()) sent.dropped?.();
  }

  /** Sends a stanza; `handed` is called when the server has it. `again` builds it anew for a resumed stream. */
  send(stanza: Element, options: { readonly handed?: () => void; readonly dropped?: () => void; readonly again?: () => Element } = {}): void {
    const { handed, dropped, again = () => stanza } = options;
    if (this.#ended) {
      dropped?.();
      return;
    }
    if (!this.#options.managed) {
      this.#socket?.write(stanza);
      handed?.();
      return;
    }
    const due = this.#sm.sent({ again, length: lengthOf(stanza), ...(handed ? { handed } : {}), ...(dropped ? { dropped } : {}) });
    this.#socket?.write(stanza);
    if (this.#sm.pending > MAX_UNACKED) return this.#break(`The server acknowledged none of the last ${MAX_UNACKED} stanzas.`, 'policy-violation');
    // Somebody waits for the acknowledgement: no need to let more stanzas gather.
    if (due || handed) this.#liveness.ask();
    else this.#liveness.askSoon();
  }

  /** A reply that took its time. Whoever asks for more than the server takes is told to come back: nothing else bounds what they ask for. */
  answer(reply: Element): void {
    const bytes = Buffer.byteLength(serialize(reply));
    if (this.#answering > 0 && this.#answering + bytes > MAX_ANSWERING) return this.send(busy(reply));
    this.#answering += bytes;
    const gone = (): void => { this.#answering -= bytes; };
    this.send(reply, { handed: gone, dropped: gone });
  }

  /** XEP-0198 §4: before a proper end, say what was received, so that it is not sent again. */
  farewell(): void {
    if (this.#options.managed) this.#socket?.write(xml('a', { xmlns: NS_SM, h: String(this.#sm.h) }));
  }

  /** Whatever the server sends, in order. */
  readonly receive = (element: Element): void => {
    this.#liveness.heard();
    if (namespaceOf(element) === NS_SM) {
      if (element.getName() === 'r') this.#socket?.write(xml('a', { xmlns: NS_SM, h: String(this.#sm.h) }));
      else if (element.getName() === 'a') {
        this.#proof?.stop();
        this.#proven?.();
        this.#proven = undefined;
        this.#acknowledged(parseH(attr(element, 'h')) ?? -1);
      }
      return;
    }
    if (stanzaKind(element) === undefined) return;
    const n = this.#sm.arrived();
    if (this.iq.receive(element)) {
      this.#sm.handled(n);
      return;
    }
    void this.#handle(element, n);
  };

  async #handle(stanza: Element, n: number): Promise<void> {
    const life = this.#life;
    this.#inWork++;
    this.#throttle();
    try {
      const handling = this.#options.events?.(stanza) ?? this.#options.receive?.(stanza) ?? refuse(stanza);
      this.#crowd();
      const reply = await handling;
      if (reply) this.send(reply);
      if (life === this.#life) this.#sm.handled(n);
    } catch (error) {
      this.#options.trouble(error instanceof Error ? error.message : String(error));
      // Not handled: it is not counted, and neither is what follows. The server sends all of it again to a new connection.
      if (life === this.#life) this.#socket?.destroy();
    } finally {
      this.#throttle();
      if (--this.#inWork === 0) for (const tell of this.#quiet.splice(0)) tell();
    }
  }

  #crowd(): void {
    const roomy = this.#crowded ? undefined : this.#options.roomy?.();
    if (roomy) void this.#wait(roomy);
  }

  async #wait(roomy: Promise<void>): Promise<void> {
    this.#crowded = true;
    this.#throttle();
    await roomy;
    this.#crowded = false;
    this.#throttle();
  }

  /** Reading stops while too much that came is not done, or waits for the disk. */
  #throttle(): void {
    const full = this.#crowded || this.#sm.unhandled > MAX_UNHANDLED;
    if (full === this.#paused || !this.#socket) return;
    this.#paused = full;
    if (full) return this.#socket.pause();
    this.#liveness.heard();
    this.#socket.resume();
  }

  #acknowledged(h: number): void {
    let confirmed: Sent[];
    try {
      confirmed = this.#sm.ack(h);
    } catch (error) {
      if (!(error instanceof HandledCountTooHigh)) throw error;
      // XEP-0198 §4: undefined-condition with handled-count-too-high.
      return this.#break(error.message, 'undefined-condition', xml('handled-count-too-high', { xmlns: NS_SM, h: String(Math.max(0, h)), 'send-count': String(error.sent) }));
    }
    for (const sent of confirmed) sent.handed?.();
  }

  #break(reason: string, condition: string, application?: Element): void {
    if (this.#broken) return;
    this.#broken = true;
    void this.#socket?.fail(condition, reason, application);
  }

  #ask(socket: Wire): void {
    this.#sm.asked();
    // Without stream management any stanza that must be answered shows life as well.
    socket.write(this.#options.managed ? xml('r', { xmlns: NS_SM }) : buildPing({ id: 'alive' }));
  }
}

function busy(reply: Element): Element {
  const [id, to, from] = [attr(reply, 'id'), attr(reply, 'to'), attr(reply, 'from')];
  return xml('iq', { type: 'error', id, to, from }, new StanzaError('resource-constraint', { text: 'too many answers wait to be sent; try again shortly' }).toElement());
}

/** Nobody here takes requests from home. */
function refuse(stanza: Element): Element | undefined {
  const type = attr(stanza, 'type');
  return stanza.getName() === 'iq' && (type === 'get' || type === 'set') ? errorReply(stanza, new StanzaError('service-unavailable')) : undefined;
}

function lengthOf(element: Element): number {
  return element.children.reduce<number>((sum, child) => sum + (typeof child === 'string' ? child.length : lengthOf(child)), 0);
}
