import type { FileEvent, TrustLevel } from '../../api.ts';
import type { Clock, Timer } from '../../clock.ts';
import { LanpostError } from '../../errors.ts';
import { EventSource } from '../../event-stream.ts';

export interface TransferInit {
  readonly id: string;
  readonly direction: FileEvent['direction'];
  readonly peer: string;
  readonly trust: TrustLevel;
  readonly fingerprint?: string;
  readonly name: string;
  readonly size: number;
  readonly description?: string;
  readonly until?: number;
}

/** Nothing came or went for so long, ms: it is given up. */
export const IDLE = 60_000;
/** And so it is when fewer bytes than that moved in so long, ms, and not all that were left: whoever sends one a minute would keep a place for ever. */
const LEAST = 1 << 20;
const SLOW = 600_000;
/** Progress is told so often, ms. */
const TELL_EVERY = 200;

/** One file on its way: how far it is, and what ended it. */
export class Transfer {
  readonly #init: TransferInit;
  readonly #clock: Clock;
  readonly #on: (event: FileEvent) => void;
  readonly #events = new EventSource<FileEvent>();
  readonly #ended = new AbortController();
  #type: FileEvent['type'] = 'offered';
  #sent = 0;
  #movedAt: number;
  /** Since then, and from there on, not enough has gone over. */
  #mark: { readonly at: number; readonly sent: number };
  #toldAt: number;
  #watch: Timer | undefined;
  #last: FileEvent | undefined;

  constructor(init: TransferInit, clock: Clock, on: (event: FileEvent) => void) {
    this.#init = init;
    this.#clock = clock;
    this.#on = on;
    this.#movedAt = this.#toldAt = clock.mono();
    this.#mark = { at: this.#toldAt, sent: 0 };
  }

  get id(): string { return this.#init.id; }
  get peer(): string { return this.#init.peer; }
  get fingerprint(): string | undefined { return this.#init.fingerprint; }
  get trust(): TrustLevel { return this.#init.trust; }
  get direction(): FileEvent['direction'] { return this.#init.direction; }
  get name(): string { return this.#init.name; }
  get size(): number { return this.#init.size; }
  get sent(): number { return this.#sent; }
  get offered(): boolean { return this.#type === 'offered'; }
  get over(): boolean { return this.#ended.signal.aborted; }
  /** Aborted, with the reason, when it has ended. */
  get ended(): AbortSignal { return this.#ended.signal; }

  /** As it stands now. */
  get now(): FileEvent {
    const { until, ...init } = this.#init;
    return this.#last ?? { type: this.#type, ...init, sent: this.#sent, ...(this.offered && until !== undefined ? { until } : {}) };
  }

  /** What becomes of it from now on, to its end. */
  follow(first: readonly FileEvent[], signal?: AbortSignal): AsyncIterableIterator<FileEvent> {
    return this.#events.follow({ first, signal });
  }

  tell(): void {
    this.#tell(this.now);
  }

  accepted(): void {
    if (this.over || !this.offered) return;
    this.#type = 'accepted';
    this.#movedAt = this.#clock.mono();
    this.#mark = { at: this.#movedAt, sent: 0 };
    this.#watch = this.#clock.every(IDLE / 10, () => {
      const now = this.#clock.mono();
      const { at, sent } = this.#mark;
      if (now - this.#movedAt >= IDLE) this.fail(new LanpostError('timeout', `nothing moved for ${IDLE / 1000} s`));
      else if (now - at >= SLOW) this.fail(new LanpostError('timeout', `only ${this.#sent - sent} bytes moved in ${SLOW / 60_000} minutes`));
    });
    this.tell();
  }

  /** So many bytes more have gone over. */
  moved(bytes: number): void {
    if (this.over || bytes === 0) return;
    this.#type = 'progress';
    this.#sent += bytes;
    const now = this.#movedAt = this.#clock.mono();
    if (this.#sent - this.#mark.sent >= Math.min(LEAST, this.size - this.#mark.sent)) this.#mark = { at: now, sent: this.#sent };
    if (now - this.#toldAt < TELL_EVERY) return;
    this.#toldAt = now;
    this.tell();
  }

  done(path?: string): void {
    this.#end('done', path === undefined ? {} : { path }, new LanpostError('closed', 'the transfer is over'));
  }

  fail(error: unknown): void {
    const code = error instanceof LanpostError ? error.code : 'disconnected';
    this.#end('failed', { code, message: error instanceof Error ? error.message : String(error) }, error);
  }

  #end(type: 'done' | 'failed', more: Partial<FileEvent>, reason: unknown): void {
    if (this.over) return;
    this.#watch?.stop();
    this.#type = type;
    this.#last = { ...this.now, type, sent: this.#sent, ...more };
    this.#ended.abort(reason);
    this.#tell(this.#last);
    this.#events.close();
  }

  #tell(event: FileEvent): void {
    this.#on(event);
    this.#events.emit(event);
  }
}

/** What is waited for, unless the transfer ends before: then its reason. */
export function untilEnded<T>(work: Promise<T>, ended: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = (): void => reject(ended.reason);
    if (ended.aborted) stop();
    ended.addEventListener('abort', stop, { once: true });
    work.then(resolve, reject).finally(() => ended.removeEventListener('abort', stop));
  });
}
