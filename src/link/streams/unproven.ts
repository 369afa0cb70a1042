// What was handed to a peer that confirms nothing. TCP says when it cannot have been read: the peer's system answers what
// comes after its program has closed the connection, or was not read by then, with a reset.
import type { Clock, Timer } from '../../clock.ts';

/** How long after a stanza the peer's farewell would be here, had it been on its way already. */
const FAREWELL_TIME = 1_000;

interface Handed { readonly until: number; readonly resolve: () => void; readonly reject: (error: Error) => void }

/** Stanzas of which it is not known yet that the peer was there for them. */
export class Unproven {
  readonly #clock: Clock;
  readonly #handed: Handed[] = [];
  readonly #settled: (() => void)[] = [];
  #timer: Timer | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get pending(): number {
    return this.#handed.length;
  }

  /** Resolves when the peer will have taken it; rejects when it cannot have. */
  sent(): Promise<void> {
    const taken = new Promise<void>((resolve, reject) => {
      this.#handed.push({ until: this.#clock.mono() + FAREWELL_TIME, resolve, reject });
    });
    taken.catch(() => undefined); // whoever waits for it sees it; nobody has to
    this.#timer ??= this.#clock.after(FAREWELL_TIME, () => this.#look());
    return taken;
  }

  /** Resolves when nothing is pending: it will not take long. */
  async settled(): Promise<void> {
    if (this.#handed.length > 0) await new Promise<void>(resolve => { this.#settled.push(resolve); });
  }

  /** The peer has read all there was. */
  taken(): void {
    for (const { resolve } of this.#handed.splice(0)) resolve();
    this.#end();
  }

  lost(error: Error): void {
    for (const { reject } of this.#handed.splice(0)) reject(error);
    this.#end();
  }

  #look(): void {
    const now = this.#clock.mono();
    const due = this.#handed.findIndex(({ until }) => until > now);
    for (const { resolve } of this.#handed.splice(0, due < 0 ? this.#handed.length : due)) resolve();
    const [next] = this.#handed;
    this.#timer = next && this.#clock.after(next.until - now, () => this.#look());
    if (!next) this.#end();
  }

  #end(): void {
    this.#timer?.stop();
    this.#timer = undefined;
    for (const wake of this.#settled.splice(0)) wake();
  }
}
