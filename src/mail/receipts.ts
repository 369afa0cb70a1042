import type { MessageState, Receipt } from '../api.ts';
import { LanpostError } from '../errors.ts';
import type { Log } from '../log/log.ts';

/** Outcomes kept for `messageState` after a restart; the oldest go first. */
const KEPT = 1000;
const PREFIX = 'mail:end:';

const ENDS = ['handed', 'refused', 'expired'] as const;
/** `handed` fails only those who wait for `delivered`, which will never come. */
const FAILURE = { handed: 'unsupported', refused: 'forbidden', expired: 'expired' } as const;

interface Waiting {
  handed(): void;
  delivered(): void;
  failed(error: LanpostError): void;
}

/** What became of each message: promises for those who wait, rows for those who ask later. */
export class Receipts {
  readonly #registry: Log['registry'];
  readonly #waiting = new Map<string, Waiting>();
  readonly #handed = new Set<string>();

  constructor(registry: Log['registry']) {
    this.#registry = registry;
  }

  /** Call before the letter can move, so that no news is missed. */
  open(id: string, to: string, accepted: Promise<void>): Receipt {
    const handed = deferred();
    const delivered = deferred();
    this.#waiting.set(id, {
      handed: () => handed.resolve(),
      delivered: () => { handed.resolve(); delivered.resolve(); },
      failed: (error) => { handed.reject(error); delivered.reject(error); },
    });
    // Nobody has to listen to a receipt: what is not asked for must not raise an unhandled rejection.
    for (const promise of [accepted, handed.promise, delivered.promise]) promise.catch(() => undefined);
    return { id, to, accepted, handed: handed.promise, delivered: delivered.promise };
  }

  handed(id: string): void {
    this.#handed.add(id);
    this.#waiting.get(id)?.handed();
  }

  /** The recipient confirmed it. */
  delivered(id: string): void {
    this.#handed.delete(id);
    this.#waiting.get(id)?.delivered();
    this.#waiting.delete(id);
  }

  /** It ended otherwise: the last that will ever be known of it. */
  async ended(id: string, state: (typeof ENDS)[number], why: string): Promise<void> {
    const ends = this.#registry.entries(PREFIX);
    for (const [key] of ends.slice(0, Math.max(0, ends.length - KEPT + 1))) await this.#registry.set(key, undefined);
    await this.#registry.set(PREFIX + id, state);
    this.#handed.delete(id);
    if (state === 'handed') this.#waiting.get(id)?.handed();
    this.#waiting.get(id)?.failed(new LanpostError(FAILURE[state], why));
    this.#waiting.delete(id);
  }

  /** `undefined`: still on its way as far as is known here, or confirmed. */
  state(id: string): MessageState | undefined {
    if (this.#handed.has(id)) return 'handed';
    const end = this.#registry.get(PREFIX + id);
    return ENDS.find((known) => known === end);
  }

  close(): void {
    const error = new LanpostError('closed', 'the box was closed; the message is kept and goes on at the next start');
    for (const waiting of this.#waiting.values()) waiting.failed(error);
    this.#waiting.clear();
  }
}

interface Deferred {
  readonly promise: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (reason: LanpostError) => void;
}

// COMPAT(Node 20): Promise.withResolvers comes with Node 22.
function deferred(): Deferred {
  let resolve!: () => void;
  let reject!: (reason: LanpostError) => void;
  const promise = new Promise<void>((yes, no) => { resolve = yes; reject = no; });
  return { promise, resolve, reject };
}
