import type { Clock } from '../clock.ts';
import { LanpostError } from '../errors.ts';
import { askKey } from './asks.ts';
import type { Link } from './link.ts';
import type { DnsRecord } from './message.ts';
import { checkName } from './name.ts';

/** Records asked for at once; strangers can make a box want to know of each of them. */
const MAX_INQUIRIES = 64;
/** Five questions: at once, after 1, 3, 7 s, and time for an answer to the last. */
const TIMEOUT = 8000;

export interface AskOptions {
  /** Milliseconds; default 8 s. */
  readonly timeout?: number;
  readonly signal?: AbortSignal | undefined;
  /** Without the random 20–120 ms that keep many from asking together: somebody waits for it. */
  readonly soon?: boolean;
}

interface Waiter { answered(record: DnsRecord): void; failed(error: unknown): void }

interface Inquiry { readonly name: string; readonly type: number; readonly waiting: Set<Waiter> }

export interface InquiriesParts {
  readonly clock: Clock;
  readonly links: () => Iterable<Link>;
  /** Links may want something done. */
  readonly changed: () => void;
}

/** Single records asked for on every link; the first answer counts. */
export class Inquiries {
  readonly #parts: InquiriesParts;
  readonly #inquiries = new Map<string, Inquiry>();

  constructor(parts: InquiriesParts) {
    this.#parts = parts;
  }

  /** Rejects with `timeout`, `not-found` when its owner says there is none, `busy` beyond the limit. */
  async ask(name: string, type: number, options: AskOptions = {}): Promise<DnsRecord> {
    options.signal?.throwIfAborted();
    checkName(name);
    const key = askKey(name, type);
    if (!this.#inquiries.has(key) && this.#inquiries.size >= MAX_INQUIRIES) {
      throw new LanpostError('busy', `${MAX_INQUIRIES} records are being asked for on the link; try again shortly`);
    }
    const inquiry = this.#inquiries.get(key) ?? { name, type, waiting: new Set<Waiter>() };
    this.#inquiries.set(key, inquiry);
    const now = this.#parts.clock.mono();
    for (const link of this.#parts.links()) link.ask(name, type, now, options.soon ?? false);
    const answer = this.#wait(key, inquiry, options);
    this.#parts.changed();
    return answer;
  }

  /** A link that was joined hears what is wanted. */
  joined(link: Link): void {
    const now = this.#parts.clock.mono();
    for (const { name, type } of this.#inquiries.values()) link.ask(name, type, now, false);
  }

  answered(record: DnsRecord): void {
    for (const waiter of this.#waiting(record.name, record.type)) waiter.answered(record);
  }

  absent(name: string, type: number): void {
    for (const waiter of this.#waiting(name, type)) waiter.failed(new LanpostError('not-found', `${name} has no such record`));
  }

  close(): void {
    const waiting = [...this.#inquiries.values()].flatMap((inquiry) => [...inquiry.waiting]);
    for (const waiter of waiting) waiter.failed(new LanpostError('closed', 'mDNS has been closed'));
  }

  #wait(key: string, inquiry: Inquiry, { timeout = TIMEOUT, signal }: AskOptions): Promise<DnsRecord> {
    return new Promise((resolve, reject) => {
      const settle = (tell: () => void): void => {
        timer.stop();
        signal?.removeEventListener('abort', aborted);
        inquiry.waiting.delete(waiter);
        if (inquiry.waiting.size === 0) this.#end(key, inquiry);
        tell();
      };
      const waiter: Waiter = {
        answered: (record) => settle(() => resolve(record)),
        failed: (error) => settle(() => reject(error)),
      };
      const aborted = (): void => waiter.failed(signal?.reason);
      const timer = this.#parts.clock.after(timeout, () => waiter.failed(new LanpostError('timeout', `nobody on the link answers for ${inquiry.name}`)));
      signal?.addEventListener('abort', aborted);
      inquiry.waiting.add(waiter);
    });
  }

  #waiting(name: string, type: number): Waiter[] {
    return [...this.#inquiries.get(askKey(name, type))?.waiting ?? []];
  }

  #end(key: string, { name, type }: Inquiry): void {
    this.#inquiries.delete(key);
    for (const link of this.#parts.links()) link.stopAsking(name, type);
    this.#parts.changed();
  }
}
