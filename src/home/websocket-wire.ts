// RFC 7395: a stream over WebSocket. Each frame is one whole element, so nothing is ever half read.
import { once } from 'node:events';
import type { TLSSocket } from 'node:tls';
import { WebSocket, type RawData } from 'ws';
import type { Clock, Timer } from '../clock.ts';
import { LanpostError } from '../errors.ts';
import { attr, type Element, namespaceOf, parseElement, serialize, xml, XmlFault } from '../xmpp/element.ts';
import { streamError } from '../xmpp/stream-error.ts';
import type { Wire, WireCallbacks } from '../xmpp/wire.ts';
import { refusalOf } from './https.ts';
import { Unusable } from './loss.ts';
import { standalone } from './standalone.ts';

export const NS_FRAMING = 'urn:ietf:params:xml:ns:xmpp-framing';

export interface WebSocketWireOptions {
  readonly socket: WebSocket;
  readonly clock: Clock;
  readonly limits: { readonly stanzaBytes: number; readonly depth: number };
  readonly on: WireCallbacks;
}

/** Bytes that may wait to go out before the connection is given up; above the other, `write` says so. */
const MAX_OUTPUT = 4 << 20;
const HIGH_WATER = 65_536;
const CLOSE_DEADLINE = 2_000;

/** Over a connection that is there already, its certificate looked at. */
export async function openWebSocket(url: string, connection: TLSSocket, maxBytes: number, signal: AbortSignal): Promise<WebSocket> {
  const socket = new WebSocket(url, 'xmpp', { createConnection: () => connection, maxPayload: maxBytes, perMessageDeflate: false, followRedirects: false });
  const stop = (): void => socket.terminate();
  signal.addEventListener('abort', stop, { once: true });
  try {
    await once(socket, 'open', { signal });
  } catch (error) {
    socket.on('error', () => undefined); // that it ends before it began is told by what is thrown
    socket.terminate();
    // The HTTP answer is no switch of protocols, or not to ours: that will be the same again.
    const [, status] = /^Unexpected server response: (\d{3})$/.exec(error instanceof Error ? error.message : '') ?? [];
    if (status !== undefined) throw refusalOf(new URL(url).host, Number(status));
    if (error instanceof Error && !('code' in error) && !signal.aborted) throw new Unusable(`${new URL(url).host}: ${error.message}`, { cause: error });
    throw error;
  } finally {
    signal.removeEventListener('abort', stop);
  }
  return socket;
}

export class WebSocketWire implements Wire {
  readonly #options: WebSocketWireOptions;
  readonly #socket: WebSocket;
  #closing: Promise<void> | undefined;
  #closed = false;
  #over = false;
  #opened = false;
  #reason: Error | undefined;
  #deadline: Timer | undefined;
  #lastReceived: number;

  constructor(options: WebSocketWireOptions) {
    this.#options = options;
    const { socket, clock } = options;
    this.#socket = socket;
    this.#lastReceived = clock.mono();
    const alive = (): void => { this.#lastReceived = clock.mono(); };
    socket.on('ping', alive).on('pong', alive);
    socket.on('message', (data, binary) => this.#receive(data, binary));
    socket.on('error', (error) => { this.#reason ??= error; });
    socket.on('close', () => {
      this.#closed = true;
      this.#deadline?.stop();
      options.on.close(this.#reason);
    });
  }

  get closed(): boolean {
    return this.#closed;
  }

  get lastReceived(): number {
    return this.#lastReceived;
  }

  #receive(data: RawData, binary: boolean): void {
    this.#lastReceived = this.#options.clock.mono();
    if (this.#over) return;
    const { on, limits } = this.#options;
    try {
      // §3.3.3 data frames are text; what they hold was found to be UTF-8.
      if (binary) throw new XmlFault('bad-format', 'a binary frame');
      const element = parseElement(textOf(data), limits);
      if (namespaceOf(element) !== NS_FRAMING) return on.stanza(element);
      if (element.getName() === 'open') on.header();
      else if (element.getName() === 'close') this.#end(attr(element, 'see-other-uri'));
    } catch (error) {
      if (!(error instanceof XmlFault)) return this.destroy(error instanceof Error ? error : new Error('a callback failed', { cause: error }));
      on.error({ condition: error.condition, text: error.message });
      void this.fail(error.condition, error.message);
    }
  }

  /** §3.6: answered, and then the connection closes. */
  #end(elsewhere: string | undefined): void {
    this.#over = true;
    // §3.6.1 speaks of going there; who may say so before it is known who we are is not asked for more than its name.
    if (elsewhere !== undefined) this.#reason ??= new LanpostError('disconnected', 'The server sends its clients elsewhere.');
    void this.close();
    this.#socket.close(1000);
  }

  /** §3.4: a stream begins with `<open/>`, in place of the header. */
  open(header: Element): void {
    this.#opened = true;
    this.#send(serialize(xml('open', { xmlns: NS_FRAMING, to: attr(header, 'to'), version: attr(header, 'version'), 'xml:lang': attr(header, 'xml:lang') })));
  }

  /** §3.7: with the next `<open/>`. */
  restart(): void {
    this.#over = false;
  }

  write(element: Element): boolean {
    if (this.#closing) return false;
    return this.#send(standalone(element));
  }

  #send(text: string): boolean {
    if (this.#closed || this.#socket.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(text);
    if (this.#socket.bufferedAmount > MAX_OUTPUT) {
      this.destroy(new LanpostError('disconnected', 'The other side does not read.'));
      return false;
    }
    return this.#socket.bufferedAmount < HIGH_WATER;
  }

  pause(): void {
    if (!this.#closed) this.#socket.pause();
  }

  resume(): void {
    if (!this.#closed) this.#socket.resume();
  }

  fail(condition: string, text?: string, application?: Element): Promise<void> {
    if (this.#opened) this.write(streamError(condition, text, application));
    this.#reason ??= new LanpostError('disconnected', `The stream was ended: ${condition}${text === undefined ? '' : ` (${text})`}.`);
    this.#over = true;
    return this.close();
  }

  close(): Promise<void> {
    if (this.#closed) return Promise.resolve();
    return this.#closing ??= new Promise((resolve) => {
      this.#socket.once('close', () => resolve());
      if (this.#opened) this.#send(serialize(xml('close', { xmlns: NS_FRAMING })));
      this.#socket.resume();
      // Whoever has ended the stream with an error waits for nobody's answer.
      if (this.#over || !this.#opened) this.#socket.close(1000);
      this.#deadline = this.#options.clock.after(CLOSE_DEADLINE, () => this.destroy());
    });
  }

  destroy(reason?: Error): void {
    this.#reason ??= reason;
    this.#socket.terminate();
  }
}

function textOf(data: RawData): string {
  return Array.isArray(data) ? Buffer.concat(data).toString() : Buffer.isBuffer(data) ? data.toString() : Buffer.from(data).toString();
}
