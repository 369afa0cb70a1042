// The client's half of a control connection: calls and streams, told apart by id.
import type { Clock, Timer } from '../clock.ts';
import { LanpostError } from '../errors.ts';
import { disconnected, type Connection } from './connection.ts';
import { deferred, type Deferred } from './deferred.ts';
import { toError } from './failure.ts';
import type { ControlLimits } from './limits.ts';
import { plain } from './record.ts';
import { RemoteStream } from './remote-stream.ts';
import type { Reply } from './wire.ts';

/** One value of a stream as it came, and how it is confirmed or given back. */
export interface Arrival {
  readonly value: unknown;
  ack(): void;
  nack(delay: number): void;
}

/** A stream whose values are somebody else's business. */
type AnyStream = Pick<RemoteStream<unknown>, 'receive' | 'fail' | 'close'>;

export class RpcClient {
  readonly #connection: Connection;
  readonly #limits: ControlLimits;
  readonly #clock: Clock;
  readonly #calls = new Map<number, Deferred<unknown>>();
  readonly #streams = new Map<number, AnyStream>();
  #nextId = 1;
  #over: LanpostError | undefined;

  constructor(o: { connection: Connection; limits: ControlLimits; clock: Clock }) {
    this.#connection = o.connection;
    this.#clock = o.clock;
    this.#limits = o.limits;
  }

  /** Aborting stops the waiting, not what was asked for. */
  async call(method: string, args: readonly unknown[], signal?: AbortSignal): Promise<unknown> {
    signal?.throwIfAborted();
    this.#check();
    if (this.#connection.waiting > this.#limits.clientBytes) {
      throw new LanpostError('busy', 'Too much is waiting to be handed to the box; wait for what was asked before.');
    }
    const id = this.#nextId++;
    const answer = deferred<unknown>();
    this.#connection.send({ type: 'call', id, method, args: plain(args) });
    this.#calls.set(id, answer);
    const stop = (): void => {
      if (this.#calls.delete(id)) answer.reject(signal?.reason);
    };
    signal?.addEventListener('abort', stop, { once: true });
    try {
      return await answer.promise;
    } finally {
      signal?.removeEventListener('abort', stop);
    }
  }

  open<T>(method: string, args: readonly unknown[], o: { decode: (arrival: Arrival) => T; ahead: number; signal?: AbortSignal | undefined }): RemoteStream<T> {
    const id = this.#nextId++;
    const { signal } = o;
    const send = (message: object): void => {
      if (this.#streams.has(id)) this.#connection.send(message);
    };
    let parting: Timer | undefined;
    const stream = new RemoteStream<T>({
      ahead: o.ahead,
      decode: (no, value) => o.decode({
        value,
        ack: once(() => send({ type: 'ack', id, no })),
        nack: (delay) => send({ type: 'nack', id, no, delay }),
      }),
      wire: {
        pull: (count) => send({ type: 'pull', id, count }),
        close: () => {
          send({ type: 'close', id });
          // A box that hangs keeps nobody from leaving.
          parting = this.#clock.after(this.#limits.parting, () => stream.fail(new LanpostError('timeout', 'The box does not answer; it may be hung.')));
        },
      },
    });
    const failure = this.#over ?? (signal?.aborted ? { reason: signal.reason as unknown } : undefined);
    if (failure) {
      stream.fail(failure instanceof LanpostError ? failure : failure.reason);
      return stream;
    }
    this.#streams.set(id, stream);
    try {
      this.#connection.send({ type: 'open', id, method, args: plain(args) });
    } catch (error) {
      this.#streams.delete(id);
      stream.fail(error);
      return stream;
    }
    const stop = (): void => stream.abort(signal?.reason);
    signal?.addEventListener('abort', stop, { once: true });
    void stream.ended.finally(() => {
      this.#streams.delete(id);
      parting?.stop();
      signal?.removeEventListener('abort', stop);
    });
    return stream;
  }

  receive(reply: Exclude<Reply, { type: 'hello' }>): void {
    const stream = this.#streams.get(reply.id);
    switch (reply.type) {
      case 'ready':
      case 'next':
      case 'end': return stream?.receive(reply);
      case 'answer': return this.#settle(reply.id, (call) => call.resolve(reply.value));
      case 'failure': {
        const error = toError(reply.error);
        if (stream) return stream.fail(error);
        return this.#settle(reply.id, (call) => call.reject(error));
      }
    }
  }

  /** Closes the streams, so that what they confirmed is kept and the rest given back; then refuses everything. */
  async close(): Promise<void> {
    this.#over ??= new LanpostError('closed', 'This box has been closed.');
    await Promise.all([...this.#streams.values()].map((stream) => stream.close()));
    this.#fail(this.#over);
  }

  /** The connection is gone. */
  lost(): void {
    this.#over ??= disconnected();
    this.#fail(this.#over);
  }

  #check(): void {
    if (this.#over) throw this.#over;
  }

  #settle(id: number, settle: (call: Deferred<unknown>) => void): void {
    const call = this.#calls.get(id);
    if (!call) return; // its caller stopped waiting
    this.#calls.delete(id);
    settle(call);
  }

  #fail(error: LanpostError): void {
    for (const call of this.#calls.values()) call.reject(error);
    this.#calls.clear();
    for (const stream of this.#streams.values()) stream.fail(error);
  }
}

function once(call: () => void): () => void {
  let called = false;
  return () => {
    if (called) return;
    called = true;
    call();
  };
}
