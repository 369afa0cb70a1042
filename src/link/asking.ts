import type { Clock } from '../clock.ts';
import { type ErrorCode, LanpostError } from '../errors.ts';
import { Again } from './again.ts';
import type { ProvenPeer } from './streams-port.ts';

/** What says nothing of whether it would let us. */
const PASSING: ReadonlySet<ErrorCode> = new Set(['busy', 'timeout', 'disconnected', 'unreachable']);

interface Wish { readonly fingerprint: string }

export interface AskingParts<Wanted extends Wish> {
  readonly clock: Pick<Clock, 'after'>;
  /** All that is wanted of anybody. */
  readonly wanted: () => Iterable<Wanted>;
  readonly ask: (name: string, wanted: Wanted) => Promise<void>;
  readonly failed: (wanted: Wanted, error: unknown) => void;
}

/** Peers are asked for what is wanted of them whenever their stream opens, and again while it lasts, until they have said yes or no. */
export class Asking<Wanted extends Wish> {
  readonly #parts: AskingParts<Wanted>;
  /** By key: the name that its open stream has proven. */
  readonly #open = new Map<string, string>();
  readonly #unanswered = new Set<Wanted>();
  readonly #again: Again;

  constructor(parts: AskingParts<Wanted>) {
    this.#parts = parts;
    this.#again = new Again(parts.clock, () => this.#askAgain());
  }

  opened({ name, fingerprint }: ProvenPeer): void {
    this.#open.set(fingerprint, name);
    for (const wanted of this.#parts.wanted()) if (wanted.fingerprint === fingerprint) this.#ask(name, wanted);
  }

  closed({ name, fingerprint }: ProvenPeer): void {
    if (this.#open.get(fingerprint) === name) this.#open.delete(fingerprint);
  }

  close(): void {
    this.#again.close();
    this.#open.clear();
  }

  #ask(name: string, wanted: Wanted): void {
    this.#unanswered.delete(wanted);
    this.#parts.ask(name, wanted).catch((error: unknown) => {
      this.#parts.failed(wanted, error);
      if (!(error instanceof LanpostError && PASSING.has(error.code) && this.#open.has(wanted.fingerprint))) return;
      this.#unanswered.add(wanted);
      this.#again.wanted();
    });
  }

  #askAgain(): void {
    const unanswered = [...this.#unanswered];
    this.#unanswered.clear();
    const wanted = new Set(this.#parts.wanted());
    for (const one of unanswered) {
      const name = this.#open.get(one.fingerprint);
      if (name !== undefined && wanted.has(one)) this.#ask(name, one);
    }
  }
}
