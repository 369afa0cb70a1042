import type { Clock, Timer } from '../../clock.ts';
import { LanpostError } from '../../errors.ts';
import { type Element, namespaceOf, xml } from '../../xmpp/element.ts';
import { stanzaKind } from '../../xmpp/stanza.ts';
import { NS_STANZAS } from '../../xmpp/stanza-error.ts';
import { isStreamError, streamFaultOf } from '../../xmpp/stream-error.ts';
import { NS_SM } from '../../xmpp/stream-management.ts';
import type { XmppSocket } from '../../xmpp/xmpp-socket.ts';
import type { Carried } from './carried.ts';
import { ANSWER_AT_LATEST } from './confirmations.ts';
import type { Holds } from './holds.ts';
import { NS_TLS } from './negotiation.ts';
import type { Session } from './session.ts';

/** Stanzas being worked on, above and below which the peer is not, and again, read from. */
const BUSY = 256;
const CALM = 128;
/** While a peer is read slowly it is told how far this side is each so many ms: less than any wait for a sign of life. */
const TELLS = 2_000;

export interface ReceivingInit {
  readonly socket: XmppSocket;
  readonly clock: Clock;
  readonly holds: Holds;
  readonly carried: Carried;
  /** Resolves, perhaps with a reply, when what the stanza caused is durable. */
  readonly handle: (stanza: Element) => Promise<Element | undefined>;
  readonly answer: (reply: Element) => void;
  readonly state: () => 'negotiating' | 'ready' | 'closing' | 'closed';
  /** What came, and how much memory it took: how long to read nothing. Without anything: how long still. */
  readonly pace: (element?: Element, memory?: number) => number;
  /** Set while too much waits for the disk: resolves when it does not any more. */
  readonly roomy: () => Promise<void> | undefined;
  /** It ends, and why. `final`: a resumption would carry on what is wrong with it. */
  readonly ends: (reason: Error | undefined, final: boolean) => void;
}

/** The way in of an open stream. Stanzas are worked on side by side, and counted when what they caused is durable. */
export class Receiving {
  readonly #init: ReceivingInit;
  #lastAt: number;
  /** While it is busy. */
  #telling: Timer | undefined;
  /** While it is read slowly. */
  #slow: Timer | undefined;

  constructor(init: ReceivingInit) {
    this.#init = init;
    this.#lastAt = init.clock.mono();
  }

  /** Monotonic time of the last stanza. */
  get lastAt(): number {
    return this.#lastAt;
  }

  /** `memory`: bytes that it took, about. */
  receive(element: Element, memory: number = 0): void {
    const { socket, ends } = this.#init;
    if (isStreamError(element)) {
      ends(new LanpostError('disconnected', `The peer ended the stream: ${streamFaultOf(element).condition}.`), true);
    } else if (namespaceOf(element) === NS_SM) {
      this.#manage(element, memory);
    } else if (stanzaKind(element)) {
      this.#arrive(element, memory);
    } else if (namespaceOf(element) === NS_TLS) {
      ends(undefined, true);
      socket.write(xml('failure', { xmlns: NS_TLS }));
      void socket.close();
    }
  }

  /** No stream begins where the ones before it from that address have come too far. */
  begin(): void {
    this.#rest(this.#init.pace());
  }

  #manage(element: Element, memory: number): void {
    const { socket, carried, ends, pace } = this.#init;
    const name = element.getName();
    // An answer that was asked for is no work that it makes.
    if (name !== 'a' || carried.confirmations.askedAt === undefined) this.#rest(pace(element, memory));
    // XEP-0198 §3, §5: not without TLS and a key, not twice, and not once stanzas have been sent.
    if (name === 'enable' || name === 'resume') {
      socket.write(xml('failed', { xmlns: NS_SM }, xml('unexpected-request', { xmlns: NS_STANZAS })));
      return;
    }
    if (!carried.managed) return;
    try {
      carried.confirmations.receive(element);
    } catch (error) {
      ends(error instanceof Error ? error : undefined, true);
      void socket.fail('undefined-condition', 'a bad h');
    }
  }

  /** While it is worked on nothing here holds the stanza: many of them live that long. */
  #arrive(element: Element, memory: number): void {
    const { clock, holds, carried, handle, pace } = this.#init;
    const n = carried.confirmations.arrived();
    this.#lastAt = clock.mono();
    if (carried.confirmations.unhandled >= BUSY && !holds.has('busy')) this.#busy();
    this.#rest(pace(element, memory));
    void this.#settle(n, carried.session, handle(element));
    this.#crowd();
  }

  async #settle(n: number, session: Session | undefined, handling: Promise<Element | undefined>): Promise<void> {
    const { socket, holds, carried, answer, state, ends } = this.#init;
    try {
      const reply = await handling;
      // Turned away while this side leaves: nobody can be told, and what is not counted is sent again.
      if (reply?.getName() === 'message' && state() === 'closing') {
        session?.spoil();
        return;
      }
      if (reply && state() === 'ready') answer(reply);
      else if (reply && state() === 'closed') session?.answer(reply);
    } catch (error) {
      session?.spoil();
      if (state() === 'closed') return;
      ends(error instanceof Error ? error : new Error('a handler failed', { cause: error }), false);
      void socket.fail('internal-server-error');
      return;
    }
    carried.confirmations.handled(n);
    if (state() === 'closed') return;
    if (holds.has('disk') && carried.confirmations.unhandled === 0) carried.acknowledge();
    if (carried.confirmations.unhandled < CALM && holds.has('busy')) this.#calm();
  }

  /** As below, its questions are not read, or late. */
  #rest(ms: number): void {
    if (ms <= 0) return;
    const { clock, holds, carried, state } = this.#init;
    holds.pace(ms);
    this.#slow ??= clock.every(TELLS, () => {
      if (state() !== 'closed') carried.acknowledge();
      if (state() !== 'closed' && clock.mono() - holds.restUntil < TELLS) return;
      this.#slow?.stop();
      this.#slow = undefined;
    });
  }

  /** Its questions are not read either, so it is told unasked (XEP-0198 §4) how far this side is. */
  #busy(): void {
    const { clock, holds, carried, state } = this.#init;
    holds.hold('busy');
    const telling = this.#telling = clock.every(ANSWER_AT_LATEST, () => (state() === 'closed' ? telling.stop() : carried.acknowledge()));
  }

  /** The peer's answer may be among what was not read. */
  #calm(): void {
    const { holds, carried } = this.#init;
    this.#telling?.stop();
    carried.confirmations.unask();
    holds.release('busy');
  }

  /** What may come next is not read while too much waits for the disk. */
  #crowd(): void {
    const roomy = this.#init.holds.has('disk') ? undefined : this.#init.roomy();
    if (roomy) void this.#wait(roomy);
  }

  async #wait(roomy: Promise<void>): Promise<void> {
    const { clock, holds, carried } = this.#init;
    holds.hold('disk');
    // Its questions are not read either, so it is told unasked (XEP-0198 §4) how far this side is.
    const telling = clock.every(ANSWER_AT_LATEST, () => carried.acknowledge());
    await roomy;
    telling.stop();
    // The peer's answer may be among what was not read.
    carried.confirmations.unask();
    holds.release('disk');
  }
}
