import type { MessageState, Receipt } from '../api.ts';
import { LanpostError } from '../errors.ts';
import type { Log } from '../log/log.ts';

/** Outcomes kept for `messageState` after a restart; the oldest go first. */
const KEPT = 1000;
const PREFIX = 'mail:end:';

const ENDS = ['handed', 'refused', 'expired'] as const;
/** `handed` fails only those who wait for `delivered`, which will never come. */
const FAILURE = { handed: 'unsupported', refused: 'forbidden', expired: 'expired' } as const;

type End = (typeof ENDS)[number];

interface EndRow { readonly end: End; readonly no: number }

interface Waiting {
  handed(): void;
  delivered(): void;
  failed(error: LanpostError): void;
}

/** What became of each message: promises for those who wait, rows for those who ask later. */
export class Receipts {
  readonly #registry: Log['registry'];
  /** A letter sent again has one more that waits. */
  readonly #waiting = new Map<string, Waiting[]>();
  /** How letters ended, the oldest first. */
  readonly #ends = new Map<string, End>();
  #count = 0;
  readonly #handed = new Set<string>();

  constructor(registry: Log['registry']) {
    this.#registry = registry;
    const rows = registry.entries(PREFIX).flatMap(([key, row]): [string, EndRow][] => (isEndRow(row) ? [[key.slice(PREFIX.length), row]] : []));
    for (const [id, { end, no }] of rows.toSorted(([, a], [, b]) => a.no - b.no)) {
      this.#ends.set(id, end);
      this.#count = no;
    }
  }

  /** Call before the letter can move, so that no news is missed. */
  open(id: string, to: string, accepted: Promise<void>): Receipt {
    const handed = deferred();
    const delivered = deferred();
    const waiting: Waiting = {
      handed: () => handed.resolve(),
      delivered: () => { handed.resolve(); delivered.resolve(); },
      failed: (error) => { handed.reject(error); delivered.reject(error); },
    };
    this.#waiting.set(id, [...this.#waiting.get(id) ?? [], waiting]);
    accepted.catch(() => this.#forget(id, waiting)); // it never was a letter
    // Nobody has to listen to a receipt: what is not asked for must not raise an unhandled rejection.
    for (const promise of [accepted, handed.promise, delivered.promise]) promise.catch(() => undefined);
    return { id, to, accepted, handed: handed.promise, delivered: delivered.promise };
  }

  handed(id: string): void {
    this.#handed.add(id);
    for (const waiting of this.#waiting.get(id) ?? []) waiting.handed();
  }

  /** The recipient confirmed it. */
  delivered(id: string): void {
    this.#handed.delete(id);
    for (const waiting of this.#waiting.get(id) ?? []) waiting.delivered();
    this.#waiting.delete(id);
  }

  /** It ended otherwise: the last that will ever be known of it. */
  async ended(id: string, end: End, why: string): Promise<void> {
    this.#count += 1;
    await this.#registry.set(PREFIX + id, { end, no: this.#count } satisfies EndRow);
    this.#ends.delete(id);
    this.#ends.set(id, end);
    for (const old of [...this.#ends.keys()].slice(0, Math.max(0, this.#ends.size - KEPT))) {
      this.#ends.delete(old);
      await this.#registry.set(PREFIX + old, undefined);
    }
    this.#handed.delete(id);
    for (const waiting of this.#waiting.get(id) ?? []) {
      if (end === 'handed') waiting.handed();
      waiting.failed(new LanpostError(FAILURE[end], why));
    }
    this.#waiting.delete(id);
  }

  /** `undefined`: still on its way as far as is known here, or confirmed. */
  state(id: string): MessageState | undefined {
    if (this.#handed.has(id)) return 'handed';
    return this.#ends.get(id);
  }

  close(): void {
    const error = new LanpostError('closed', 'the box was closed; the message is kept and goes on at the next start');
    for (const waiting of [...this.#waiting.values()].flat()) waiting.failed(error);
    this.#waiting.clear();
  }

  #forget(id: string, gone: Waiting): void {
    const left = (this.#waiting.get(id) ?? []).filter((waiting) => waiting !== gone);
    if (left.length > 0) this.#waiting.set(id, left);
    else this.#waiting.delete(id);
  }
}

function isEndRow(row: unknown): row is EndRow {
  return typeof row === 'object' && row !== null && 'no' in row && typeof row.no === 'number' && 'end' in row && ENDS.some((end) => end === row.end);
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
