// The box's half of one control connection: requests in, answers and pulled streams out.
import { LanpostError } from '../errors.ts';
import type { Connection } from './connection.ts';
import { toFailure } from './failure.ts';
import type { ControlLimits } from './limits.ts';
import type { Handed, Service, Source } from './service.ts';
import type { Reply, Request } from './wire.ts';

interface Stream {
  readonly source: Source;
  credit: number;
  pumping: boolean;
  closed: boolean;
  handed: number;
  /** Handed out and neither confirmed nor given back. */
  readonly open: Map<number, Handed>;
}

export class Session {
  readonly #connection: Connection;
  readonly #service: Service;
  readonly #limits: ControlLimits;
  readonly #streams = new Map<number, Stream>();
  #calls = 0;
  /** How many of the streams are light. */
  #light = 0;
  #closing: Promise<void> | undefined;
  #idle: (() => void) | undefined;
  readonly #roomy: (() => Promise<void> | undefined) | undefined;
  /** Too much waits for the disk already. */
  #crowded = false;
  /** Too much waits for the program to read it. */
  #unread = false;

  constructor(o: { connection: Connection; service: Service; limits: ControlLimits; roomy?: (() => Promise<void> | undefined) | undefined }) {
    this.#connection = o.connection;
    this.#service = o.service;
    this.#limits = o.limits;
    this.#roomy = o.roomy;
  }

  /** Whether more waits for the program to read than may. */
  get #isFull(): boolean {
    return this.#connection.isFull(this.#limits.backlogBytes);
  }

  receive(request: Request): void {
    if (this.#closing) return;
    this.#take(request);
    // Whoever does not read what it is told may ask nothing more.
    if (this.#isFull && !this.#unread) void this.#untilRead();
  }

  #take(request: Request): void {
    switch (request.type) {
      case 'call': return void this.#call(request.id, request.method, request.args);
      case 'open': return this.#open(request.id, request.method, request.args);
      case 'close': return void this.#close(request.id);
      case 'pull': {
        const stream = this.#streams.get(request.id);
        if (!stream) return; // ended while the request was on its way
        stream.credit += request.count;
        void this.#pump(request.id, stream);
        return;
      }
      case 'ack':
      case 'nack': {
        const open = this.#streams.get(request.id)?.open;
        const handed = open?.get(request.no);
        if (!handed) return;
        open?.delete(request.no);
        if (request.type === 'ack') handed.ack?.();
        else handed.nack?.(request.delay);
      }
    }
  }

  /** Takes no more requests; resolves when the streams are closed and what was asked before is answered. */
  async finish(): Promise<void> {
    await this.close();
    if (this.#calls > 0) await new Promise<void>((resolve) => { this.#idle = resolve; });
  }

  /** Closes every stream; what was not confirmed is given back. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= (async () => {
      const streams = [...this.#streams.values()];
      this.#streams.clear();
      for (const stream of streams) stream.closed = true;
      // A source that cannot even be closed has nobody left to be told.
      await Promise.allSettled(streams.map((stream) => stream.source.close()));
    })();
    return this.#closing;
  }

  #send(reply: Reply): void {
    try {
      this.#connection.send(reply);
    } catch (error) {
      // Too large for a frame, or not to be put into CBOR: the caller is told so instead.
      if (reply.type === 'failure' || reply.type === 'hello') throw error;
      this.#connection.send({ type: 'failure', id: reply.id, error: toFailure(error) });
      if (reply.type === 'next') void this.#close(reply.id, false);
    }
  }

  async #call(id: number, method: string, args: readonly unknown[]): Promise<void> {
    // One connection cannot make the box hold more calls than this: its socket is not read meanwhile.
    if (++this.#calls >= this.#limits.calls) this.#connection.pause();
    try {
      const called = this.#service.call(method, args);
      this.#crowd();
      const value = await called;
      this.#send(value === undefined ? { type: 'answer', id } : { type: 'answer', id, value });
    } catch (error) {
      this.#send({ type: 'failure', id, error: toFailure(error) });
    }
    // Nor more answers than it reads.
    if (this.#isFull) await this.#untilRead();
    this.#calls--;
    this.#read();
    if (this.#calls === 0) this.#idle?.();
  }

  /** What may be asked next is not read while too much waits for the disk. */
  #crowd(): void {
    const roomy = this.#crowded ? undefined : this.#roomy?.();
    if (roomy) void this.#wait(roomy);
  }

  async #wait(roomy: Promise<void>): Promise<void> {
    this.#crowded = true;
    this.#connection.pause();
    await roomy;
    this.#crowded = false;
    this.#read();
  }

  async #untilRead(): Promise<void> {
    this.#unread = true;
    this.#connection.pause();
    await this.#connection.drained();
    this.#unread = false;
    this.#read();
  }

  #read(): void {
    if (this.#calls < this.#limits.calls && !this.#crowded && !this.#unread) this.#connection.resume();
  }

  #open(id: number, method: string, args: readonly unknown[]): void {
    if (this.#streams.has(id)) return;
    let source: Source;
    try {
      source = this.#admit(this.#service.open(method, args));
    } catch (error) {
      return this.#send({ type: 'failure', id, error: toFailure(error) });
    }
    if (source.light) this.#light++;
    this.#streams.set(id, { source, credit: 0, pumping: false, closed: false, handed: 0, open: new Map() });
    void this.#ready(id, source);
  }

  #admit(source: Source): Source {
    const { light = false } = source;
    const limit = light ? this.#limits.receipts : this.#limits.streams;
    if ((light ? this.#light : this.#streams.size - this.#light) < limit) return source;
    source.close().catch(() => undefined); // it was never in use; the refusal is what is told
    throw new LanpostError('busy', `One connection may have ${limit} ${light ? 'receipts' : 'streams'} open; close some, or attach again.`);
  }

  async #ready(id: number, source: Source): Promise<void> {
    try {
      await source.ready;
      if (this.#streams.has(id)) this.#send({ type: 'ready', id });
    } catch (error) {
      this.#fail(id, error);
    }
  }

  async #pump(id: number, stream: Stream): Promise<void> {
    if (stream.pumping) return;
    stream.pumping = true;
    try {
      while (stream.credit > 0 && !stream.closed) {
        // One at a time is the flow control.
        const step = await stream.source.next();
        // One item may come to all streams at once, and all of them be woken at once: each looks again.
        while (!stream.closed && this.#isFull) await this.#connection.drained();
        if (stream.closed) return;
        if (step.done) {
          this.#forget(id, stream);
          return this.#send({ type: 'end', id });
        }
        stream.credit--;
        const no = stream.handed++;
        if (step.value.ack || step.value.nack) stream.open.set(no, step.value);
        this.#send({ type: 'next', id, no, value: step.value.value });
      }
    } catch (error) {
      this.#fail(id, error);
    } finally {
      stream.pumping = false;
    }
  }

  #fail(id: number, error: unknown): void {
    const stream = this.#streams.get(id);
    if (!stream) return; // told already, or closed by the client
    this.#send({ type: 'failure', id, error: toFailure(error) });
    void this.#close(id, false);
  }

  #forget(id: number, stream: Stream): void {
    this.#streams.delete(id);
    if (stream.source.light) this.#light--;
    stream.closed = true;
  }

  async #close(id: number, tell = true): Promise<void> {
    const stream = this.#streams.get(id);
    if (!stream) return;
    this.#forget(id, stream);
    let reply: Reply = { type: 'end', id };
    try {
      await stream.source.close();
    } catch (error) {
      reply = { type: 'failure', id, error: toFailure(error) };
    }
    if (tell) this.#send(reply);
  }
}
