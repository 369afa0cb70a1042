// A stream before it is open. What comes meanwhile waits for whoever negotiates: only so much of it, for so long.
import type { Clock, Timer } from '../../clock.ts';
import { Arrivals } from '../../xmpp/arrivals.ts';
import { type Element, xml } from '../../xmpp/element.ts';
import { linkTls, peerSpki } from '../../xmpp/tls.ts';
import { NS_CLIENT, NS_STREAM, type StreamEvent } from '../../xmpp/xml-stream.ts';
import type { XmppSocket } from '../../xmpp/xmpp-socket.ts';
import type { Holds } from './holds.ts';
import type { Agreed, Channel, Side } from './negotiation.ts';
import { Refusal } from './refusal.ts';

/** Stanzas that may come before the stream is open; then nothing is read until those are wanted. */
const EARLY = 8;

export interface OpeningInit {
  readonly socket: XmppSocket;
  readonly holds: Holds;
  readonly side: Side;
  readonly clock: Clock;
  readonly identity: { readonly key: string; readonly cert: string };
  readonly agree: (channel: Channel) => Promise<Agreed>;
  /** How long it may take, ms. */
  readonly within: number;
  /** What was agreed on too late, or in vain. */
  readonly unused: (agreed: Agreed) => void;
}

export class Opening {
  readonly #init: OpeningInit;
  readonly #arrivals: Arrivals;
  #versioned = false;
  #ended = false;

  constructor(init: OpeningInit) {
    this.#init = init;
    this.#arrivals = new Arrivals(init.clock);
  }

  /** The peer has said which version of XMPP it speaks. */
  get versioned(): boolean {
    return this.#versioned;
  }

  /** The peer will say no more. */
  get ended(): boolean {
    return this.#ended;
  }

  /** What waits here takes so many bytes. */
  get memory(): number {
    return this.#arrivals.sum(arrival => (arrival.type === 'stanza' ? arrival.memory ?? 0 : 0));
  }

  header(event: Extract<StreamEvent, { readonly type: 'header' }>): void {
    this.#versioned = event.attrs['version'] !== undefined;
    this.#arrivals.push(event);
  }

  stanza(element: Element, memory: number): void {
    this.#arrivals.push({ type: 'stanza', element, memory });
    if (this.#arrivals.size >= EARLY) this.#init.holds.hold('early');
  }

  end(event: StreamEvent): void {
    this.#ended = true;
    this.#arrivals.push(event);
  }

  lose(reason: Error | undefined): void {
    this.#arrivals.lose(reason ?? new Refusal('peer', 'undefined-condition', 'the peer closed the connection before the stream was open'));
  }

  /** Stanzas that came before they were wanted, in order; they are nobody's any more. */
  takeEarly(): { readonly element: Element; readonly memory?: number }[] {
    this.#init.holds.release('early');
    return this.#arrivals.takeAll().filter(event => event.type === 'stanza');
  }

  /** Nobody will want what waits here. */
  drop(): void {
    this.#arrivals.takeAll();
  }

  /** Rejects when the two do not agree, or not in time. */
  async agreed(): Promise<Agreed> {
    const { clock, side, agree, within, unused } = this.#init;
    let deadline: Timer | undefined;
    const expired = new Promise<never>((_, reject) => {
      deadline = clock.after(within, () => reject(new Refusal('peer', 'connection-timeout', 'the peer took too long to open the stream')));
    });
    const agreeing = agree(this.#channel());
    try {
      // Not only what comes in is waited for: a TLS handshake may stall as well.
      const agreed = await Promise.race([agreeing, expired]);
      // COMPAT(libpurple 2.14): so it turns away whom it has not resolved yet: header, closing tag.
      if (this.#ended && side === 'dialled') throw new Refusal('peer', 'undefined-condition', 'the peer closed the stream at once');
      return agreed;
    } catch (error) {
      agreeing.then(unused, () => undefined); // why it failed is known
      throw error;
    } finally {
      deadline?.stop();
    }
  }

  #channel(): Channel {
    const { socket, holds, identity } = this.#init;
    return {
      next: ms => {
        if (this.#arrivals.size === 0) holds.release('early');
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
        holds.release('early');
        return peerSpki(await socket.secure(side === 'dialled' ? 'client' : 'server', linkTls(identity)));
      },
    };
  }
}
