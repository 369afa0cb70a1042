// The rim: one TCP or TLS connection under an XML stream. Reads in, events out through callbacks;
// writes are gathered and go out once per tick.
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect, TLSSocket, type ConnectionOptions, type TLSSocketOptions } from 'node:tls';
import type { Clock, Timer } from '../clock.ts';
import { LanpostError } from '../errors.ts';
import type { XmlLimits } from '../xml/reader.ts';
import { serialize, serializeOpen, type Element } from './element.ts';
import { streamError } from './stream-error.ts';
import { XmlStream, type StreamEvent } from './xml-stream.ts';

/** What happens on the connection; `close` comes exactly once and last. */
export interface XmppSocketCallbacks {
  header(event: Extract<StreamEvent, { type: 'header' }>): void;
  /** `memory`: bytes that it takes, about. */
  stanza(element: Element, memory: number): void;
  /** Bytes that are dealt with before it is looked whether the socket was paused meanwhile. All that one read brings when absent. */
  portion?(): number;
  /** What was read so far has been dealt with. */
  read?(): void;
  /** The other side has sent its closing tag. */
  end?(): void;
  /** The other side says no more: how long this side stays before it closes too. At once when absent. */
  linger?(): Promise<void> | undefined;
  /** The other side sent what is no XML stream; the error has been answered and the stream is closing. */
  error?(event: Extract<StreamEvent, { type: 'error' }>): void;
  close(reason?: Error): void;
}

export interface XmppSocketOptions {
  /** A TCP connection, or what is as good as one. */
  readonly socket: Duplex;
  readonly clock: Clock;
  readonly on: XmppSocketCallbacks;
  readonly limits?: XmlLimits;
  readonly lenientHeader?: boolean;
  /** Bytes that may wait to go out before the connection is given up; default 4 MiB. */
  readonly outputBytes?: number;
}

/** Above this `write` says false, and the writer should wait for `drained`. */
const HIGH_WATER = 65_536;
const CLOSE_DEADLINE = 2_000;

export class XmppSocket {
  readonly #options: XmppSocketOptions;
  readonly #stream: XmlStream;
  #socket: Duplex;
  #generation = 0;
  #pending: string[] = [];
  /** Characters of it; bytes are counted when it goes out, all together, later in this turn. */
  #pendingLength = 0;
  #flushing: NodeJS.Immediate | undefined;
  #waiters: (() => void)[] = [];
  #opened = false;
  #closing = false;
  #leaving = false;
  #closed = false;
  #reason: Error | undefined;
  #deadline: Timer | undefined;
  #detach: () => void = () => undefined;
  #lastReceived: number;

  constructor(options: XmppSocketOptions) {
    this.#options = options;
    const { socket, limits, lenientHeader, clock } = options;
    this.#stream = new XmlStream({ ...(limits ? { limits } : {}), ...(lenientHeader === undefined ? {} : { lenientHeader }) });
    this.#lastReceived = clock.mono();
    this.#socket = socket;
    if (socket instanceof Socket) socket.setNoDelay(true);
    socket.on('close', this.#onClose);
    socket.on('error', this.#onError);
    this.#attach(socket);
  }

  /** The socket underneath, or the TLS socket once there is one. */
  get socket(): Duplex {
    return this.#socket;
  }

  get secured(): TLSSocket | undefined {
    return this.#socket instanceof TLSSocket ? this.#socket : undefined;
  }

  /** What only the two ends of this TLS connection know (RFC 8446 §7.5, RFC 5705); nothing in the clear. */
  exported(label: string, bytes: number): Uint8Array | undefined {
    return this.secured?.destroyed === false ? this.secured.exportKeyingMaterial(bytes, label, Buffer.alloc(0)) : undefined;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Monotonic time of the last byte in. */
  get lastReceived(): number {
    return this.#lastReceived;
  }

  /** Bytes that a stanza which has begun and not ended takes, about. */
  get memory(): number {
    return this.#stream.memory;
  }

  /** Bytes accepted from `write` and not yet handed to the system, about: of what was written in this turn, characters. */
  get buffered(): number {
    return this.#pendingLength + this.#socket.writableLength;
  }

  #attach(socket: Duplex): void {
    const data = (bytes: Buffer): void => this.#receive(bytes);
    const drain = (): void => this.#wake();
    const end = (): void => this.#leave();
    socket.on('data', data).on('drain', drain).on('end', end);
    this.#detach = () => void socket.off('data', data).off('drain', drain).off('end', end);
  }

  readonly #onError = (error: Error): void => {
    this.#reason ??= error;
  };

  readonly #onClose = (): void => {
    if (this.#closed) return;
    this.#closed = true;
    this.#deadline?.stop();
    clearImmediate(this.#flushing);
    this.#pending = [];
    this.#pendingLength = 0;
    this.#wake();
    this.#options.on.close(this.#reason);
  };

  #receive(bytes: Buffer): void {
    this.#lastReceived = this.#options.clock.mono();
    const generation = this.#generation;
    try {
      for (let rest = bytes; rest.length > 0;) {
        const portion = rest.subarray(0, this.#options.on.portion?.());
        rest = rest.subarray(portion.length);
        for (const event of this.#stream.receive(portion)) {
          this.#emit(event);
          // RFC 6120 §5.4.3.3: what came with `<proceed/>` was not protected and must not be believed.
          if (this.#closed || generation !== this.#generation) return;
        }
        if (rest.length === 0 || !this.#socket.isPaused() || this.#socket.readableEnded) continue;
        this.#socket.unshift(rest);
        break;
      }
      this.#options.on.read?.();
    } catch (error) {
      this.destroy(error instanceof Error ? error : new Error('a callback failed', { cause: error }));
    }
  }

  #emit(event: StreamEvent): void {
    const { on } = this.#options;
    if (event.type === 'header') on.header(event);
    else if (event.type === 'stanza') on.stanza(event.element, event.memory ?? 0);
    else if (event.type === 'end') {
      on.end?.();
      this.#leave();
    } else {
      on.error?.(event);
      void this.fail(event.condition, event.text);
    }
  }

  #leave(): void {
    // RFC 6120 §4.4: who closed the stream first closes the connection once the other has closed it too.
    if (this.#closing) this.#hangUp();
    if (this.#leaving) return;
    this.#leaving = true;
    const lingering = this.#options.on.linger?.();
    if (lingering) void lingering.then(() => this.close());
    else void this.close();
  }

  /** Once what was written is out. */
  #hangUp(): void {
    const socket = this.#socket;
    if (socket.writableFinished) socket.destroy();
    else socket.once('finish', () => socket.destroy());
  }

  /** Sends the stream header; its closing tag is sent by `close`. */
  open(header: Element): void {
    this.#opened = true;
    this.write(`<?xml version='1.0'?>${serializeOpen(header)}`);
  }

  /** A new stream on the same connection, as after SASL: the other side's next header is awaited. */
  restart(): void {
    this.#generation++;
    this.#stream.reset();
    this.#opened = false;
  }

  /** False: enough is waiting to go out; better wait for `drained`. */
  write(data: string | Element): boolean {
    if (this.#closed || this.#closing) return false;
    const text = typeof data === 'string' ? data : serialize(data);
    this.#pending.push(text);
    this.#pendingLength += text.length;
    if (this.buffered > (this.#options.outputBytes ?? 4 << 20)) {
      this.destroy(new LanpostError('disconnected', 'The other side does not read.'));
      return false;
    }
    this.#flushing ??= setImmediate(() => this.#flush());
    return this.buffered < HIGH_WATER;
  }

  #flush(): void {
    clearImmediate(this.#flushing);
    this.#flushing = undefined;
    if (this.#pending.length === 0 || this.#closed) return;
    const text = this.#pending.join('');
    // A character a byte: it is all ASCII, which is written without being encoded.
    const encoding = text.length === Buffer.byteLength(text) ? 'latin1' : 'utf8';
    this.#pending = [];
    this.#pendingLength = 0;
    this.#socket.write(text, encoding, () => this.#wake());
  }

  #wake(): void {
    if (!this.#closed && this.buffered >= HIGH_WATER) return;
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const wake of waiters) wake();
  }

  /** Resolves when there is room again, or the connection has gone. */
  drained(): Promise<void> {
    if (this.#closed || this.buffered < HIGH_WATER) return Promise.resolve();
    return new Promise((resolve) => { this.#waiters.push(resolve); });
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** TLS in place (RFC 6120 §5.4.3.3); the stream begins anew. Rejects, and closes, when the handshake fails. */
  secure(role: 'client' | 'server', options: ConnectionOptions & TLSSocketOptions): Promise<TLSSocket> {
    this.#flush();
    this.restart();
    this.#detach();
    const raw = this.#socket;
    const secured = role === 'client' ? connect({ ...options, socket: raw }) : new TLSSocket(raw, { ...options, isServer: true });
    this.#socket = secured;
    secured.setNoDelay(true);
    secured.on('error', this.#onError);
    return new Promise((resolve, reject) => {
      // Hung up before there is TLS; later `attach` sees to it.
      const end = (): void => this.destroy();
      secured.once('end', end);
      secured.once(role === 'client' ? 'secureConnect' : 'secure', () => {
        secured.off('end', end);
        this.#attach(secured);
        resolve(secured);
      });
      secured.once('close', () => {
        raw.destroy();
        reject(this.#reason ?? new LanpostError('disconnected', 'The connection closed during the TLS handshake.'));
        this.#onClose();
      });
      secured.once('error', (error) => {
        reject(error);
        raw.destroy();
      });
    });
  }

  /** Ends the stream with an error of ours; what the other side still says is not heard. */
  fail(condition: string, text?: string, application?: Element): Promise<void> {
    if (this.#opened) this.write(streamError(condition, text, application));
    this.#reason ??= new LanpostError('disconnected', `The stream was ended: ${condition}${text === undefined ? '' : ` (${text})`}.`);
    this.#stream.stop();
    return this.close();
  }

  /** Sends the closing tag and waits for the other side's, not for long. */
  close(): Promise<void> {
    if (this.#closed) return Promise.resolve();
    const done = new Promise<void>((resolve) => { this.#socket.once('close', () => resolve()); });
    if (this.#closing) return done;
    if (this.#opened) this.write('</stream:stream>');
    this.#flush();
    this.#closing = true;
    this.#deadline = this.#options.clock.after(CLOSE_DEADLINE, () => this.destroy());
    this.#socket.end();
    return done;
  }

  /** No goodbye. */
  destroy(reason?: Error): void {
    this.#reason ??= reason;
    this.#socket.destroy();
  }

  /** The same; and what the system still holds to be sent is not sent any more, however long it could not be. */
  reset(reason?: Error): void {
    this.#reason ??= reason;
    // TLS has no such way out, but the connection beneath it has.
    const { socket } = this.#options;
    if (!socket.destroyed && socket instanceof Socket) socket.resetAndDestroy();
    this.#socket.destroy();
  }
}
