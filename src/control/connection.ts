// The rim of the control protocol: a socket that carries CBOR messages in frames.
import type { Socket } from 'node:net';
import { LanpostError } from '../errors.ts';
import { createCodec } from './codec.ts';
import { frame, FrameReader } from './frame.ts';

export class Connection {
  readonly #socket: Socket;
  readonly #limit: number;
  readonly #reader: FrameReader;
  readonly #codec = createCodec();
  #corked = false;
  #closed = false;
  #drained: (() => void)[] = [];

  constructor(o: {
    socket: Socket;
    frameBytes: number;
    /** May throw: the connection is then cut with that error. */
    onMessage: (message: unknown) => void;
    /** Called once. The error is the other side's misbehaviour, or the socket's. */
    onClose: (error?: Error) => void;
  }) {
    this.#socket = o.socket;
    this.#limit = o.frameBytes;
    this.#reader = new FrameReader(o.frameBytes);
    let failure: Error | undefined;
    o.socket.on('data', (chunk: Buffer) => {
      try {
        for (const body of this.#reader.push(chunk)) o.onMessage(this.#codec.decode(body));
      } catch (error) {
        failure = error instanceof Error ? error : new Error(String(error));
        o.socket.destroy();
      }
    });
    o.socket.on('drain', () => this.#wake());
    o.socket.on('error', (error) => { failure ??= error; });
    o.socket.on('close', () => {
      this.#closed = true;
      this.#wake();
      o.onClose(failure);
    });
  }

  get closed(): boolean { return this.#closed; }
  /** Bytes not taken by the system yet. */
  get waiting(): number { return this.#socket.writableLength; }

  /** Whether more than `bytes` wait for a reader who may come for them. */
  isFull(bytes: number): boolean {
    return !this.#closed && this.#socket.writableNeedDrain && this.#socket.writableLength > bytes;
  }

  /** Messages of one turn of the event loop go out in one write. */
  send(message: object): void {
    if (this.#closed || !this.#socket.writable) return;
    const framed = frame(this.#codec.encode(message), this.#limit);
    if (!this.#corked) {
      this.#corked = true;
      this.#socket.cork();
      process.nextTick(() => {
        this.#corked = false;
        this.#socket.uncork();
      });
    }
    this.#socket.write(framed);
  }

  /** Resolves when there is room again (Node says `drain` only after a write it called full), or at the close. */
  drained(): Promise<void> {
    if (this.#closed || !this.#socket.writableNeedDrain) return Promise.resolve();
    return new Promise((resolve) => { this.#drained.push(resolve); });
  }

  pause(): void { this.#socket.pause(); }
  resume(): void { this.#socket.resume(); }
  end(): void { this.#socket.end(); }
  destroy(): void { this.#socket.destroy(); }

  #wake(): void {
    for (const resolve of this.#drained.splice(0)) resolve();
  }
}

export function disconnected(): LanpostError {
  return new LanpostError('disconnected', 'The connection to the box was lost: it has stopped, or is stopping.');
}
