// Speaks the first words of a stream by hand, before there is TLS or a key: whether the peer answers small packets,
// large ones, and whether it knows who is calling. Whatever comes of it, no stream does.
import type { Socket } from 'node:net';
import type { Clock } from '../../clock.ts';
import { type Element, namespaceOf, xml } from '../../xmpp/element.ts';
import { isStreamError, streamFaultOf } from '../../xmpp/stream-error.ts';
import { NS_CLIENT, NS_STREAM } from '../../xmpp/xml-stream.ts';
import { XmppSocket } from '../../xmpp/xmpp-socket.ts';
import { NS_TLS } from '../streams/negotiation.ts';
import { pause } from '../pause.ts';

/** A peer waits 3 s for the announcement of a caller that it does not know, and the first call of all makes it load what answers. */
const SMALL_TIME = 6_000;
const LARGE_TIME = 2_000;
/** More than any packet on Ethernet, jumbo frames too; the first of its packets are full ones. */
const LARGE_BYTES = 12_000;
/** Elements that are kept of what the peer says. */
const MAX_ELEMENTS = 8;

export interface Greeting {
  /** It answered the header with its features. */
  readonly answered: boolean;
  /** It closed, or said why it would not. */
  readonly refused?: string;
  /** It answered what followed a great many bytes; absent when that was not tried. */
  readonly large?: boolean;
  readonly ms: number;
}

export async function greet(o: { socket: Socket; clock: Clock; from: string; to: string; signal: AbortSignal }): Promise<Greeting> {
  const { clock } = o;
  const said = new Said(clock, o.signal);
  const socket = new XmppSocket({
    socket: o.socket, clock, lenientHeader: true,
    on: {
      header: () => undefined,
      stanza: (element) => said.hear(element),
      end: () => said.refuse('closed'),
      error: () => said.refuse('no XML stream'),
      close: () => said.refuse('closed'),
    },
  });
  const begin = clock.mono();
  try {
    socket.open(xml('stream:stream', { xmlns: NS_CLIENT, 'xmlns:stream': NS_STREAM, from: o.from, to: o.to, version: '1.0' }));
    const answered = await said.has((element) => element.getName().replace('stream:', '') === 'features', SMALL_TIME);
    const ms = Math.round(clock.mono() - begin);
    if (!answered) return { answered, ms, ...(said.refusal === undefined ? {} : { refused: said.refusal }) };
    // RFC 6120 §4.6.1: whitespace between stanzas means nothing, but it has to arrive before what follows it.
    socket.write(' '.repeat(LARGE_BYTES));
    socket.write(xml('starttls', { xmlns: NS_TLS }));
    const large = await said.has((element) => namespaceOf(element) === NS_TLS && element.getName() === 'proceed', LARGE_TIME);
    return { answered, ms, ...(said.refusal === undefined || large ? { large } : {}) };
  } finally {
    socket.destroy();
  }
}

/** What the peer has said so far, to be waited for. */
class Said {
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  readonly #heard: Element[] = [];
  #refusal: string | undefined;
  #look: () => void = () => undefined;

  constructor(clock: Clock, signal: AbortSignal) {
    this.#clock = clock;
    this.#signal = signal;
  }

  /** Why it would not go on. */
  get refusal(): string | undefined {
    return this.#refusal;
  }

  hear(element: Element): void {
    if (isStreamError(element)) this.#refusal ??= streamFaultOf(element).condition;
    // Features and one word about TLS are all that belongs here.
    if (this.#heard.length < MAX_ELEMENTS) this.#heard.push(element);
    this.#look();
  }

  refuse(why: string): void {
    this.#refusal ??= why;
    this.#look();
  }

  /** Whether such an element came, or comes within `ms`. */
  async has(fits: (element: Element) => boolean, ms: number): Promise<boolean> {
    const over = new AbortController();
    const came = new Promise<void>((resolve) => {
      this.#look = () => { if (this.#heard.some(fits) || this.#refusal !== undefined) resolve(); };
    });
    this.#look();
    await Promise.race([came, pause(this.#clock, ms, AbortSignal.any([this.#signal, over.signal]))]);
    over.abort();
    return this.#heard.some(fits);
  }
}
