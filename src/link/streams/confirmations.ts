// XEP-0198 both ways, over one stream or, when it is resumed, several: who has what. What was not confirmed is sent
// again from the log; only requests and answers, which no log holds, are kept here.
import type { Clock, Timer } from '../../clock.ts';
import { attr, type Element } from '../../xmpp/element.ts';
import { NS_SM, parseH, StreamManagement } from '../../xmpp/stream-management.ts';

/** `<r/>` is answered when all that came before it is durable, but not later than this, ms. */
export const ANSWER_AT_LATEST = 5_000;

export interface Unconfirmed {
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
  /** What nobody else could send again. */
  readonly text?: string;
  /** Whether that may still be sent again. Default: it may. */
  readonly still?: () => boolean;
}

/** Bytes of requests and answers that are kept to be sent again; with more unconfirmed there is no resuming. */
const KEPT_BYTES = 256 * 1024;

/** One on its way. `unkept`: it was to be kept, and there was no room. */
interface Pending extends Unconfirmed { readonly unkept?: true }

export class Confirmations {
  readonly #clock: Clock;
  /** Writes on the stream there is; undefined between two. */
  #write: ((text: string) => void) | undefined;
  readonly #sm = new StreamManagement<Pending>({ askEvery: Number.MAX_SAFE_INTEGER });
  /** `<r/>` is out since then. */
  #askedAt: number | undefined;
  #asking = false;
  /** Stanzas in, and how many of them had come when the peer last asked. */
  #arrived = 0;
  #owed: number | undefined;
  #overdue: Timer | undefined;
  #keptBytes = 0;
  #unkept = 0;
  /** The peer has had them when it resumed, but may have refused them: its answers come before its next `<a/>`. */
  #had: Pending[] = [];
  #lost = false;
  readonly #settled: (() => void)[] = [];
  readonly #answered: (() => void)[] = [];
  readonly #idle: (() => void)[] = [];

  constructor(clock: Clock, write?: (text: string) => void) {
    this.#clock = clock;
    this.#write = write;
  }

  /** Stanzas sent and not confirmed. */
  get pending(): number {
    return this.#sm.pending;
  }

  /** Stanzas in whose consequences are not durable yet. */
  get unhandled(): number {
    return this.#sm.unhandled;
  }

  get isSettled(): boolean {
    return this.#sm.pending === 0 && this.#had.length === 0 && this.#sm.unhandled === 0;
  }

  /** What may be told as `h`. */
  get h(): number {
    return this.#sm.h;
  }

  /** Bytes of what only this holds. */
  get keptBytes(): number {
    return this.#keptBytes;
  }

  /** Whether all that is to be sent again, and that nobody else has, is here. */
  get isComplete(): boolean {
    return this.#unkept === 0;
  }

  /** Who waits for an answer, or for something to be durable. */
  get waiting(): number {
    return this.#settled.length + this.#answered.length + this.#idle.length;
  }

  /** Since when the peer has been asked and has said nothing. */
  get askedAt(): number | undefined {
    return this.#askedAt;
  }

  sent(one: Unconfirmed): void {
    this.#sm.sent(this.#kept(one));
    this.#askSoon();
  }

  /** Whoever asks and confirms nothing must not fill the memory with answers. */
  #kept(one: Unconfirmed): Pending {
    const { text, resolve, reject } = one;
    if (text === undefined) return one;
    if (this.#keptBytes + text.length > KEPT_BYTES) {
      this.#unkept += 1;
      return { resolve, reject, unkept: true };
    }
    this.#keptBytes += text.length;
    return one;
  }

  /** A stanza came; its number. */
  arrived(): number {
    this.#arrived += 1;
    return this.#sm.arrived();
  }

  /** What it caused is durable. */
  handled(n: number): void {
    this.#sm.handled(n);
    if (this.#owed !== undefined && this.#arrived - this.#sm.unhandled >= this.#owed) this.acknowledge();
    if (this.#sm.unhandled === 0) wake(this.#idle);
    if (this.isSettled) wake(this.#settled);
  }

  /** `<r/>` or `<a/>`; throws when its `h` cannot be. */
  receive(element: Element): void {
    if (element.getName() === 'r') {
      this.#owed = this.#arrived;
      if (this.#sm.unhandled === 0) this.acknowledge();
      else this.#overdue ??= this.#clock.after(ANSWER_AT_LATEST, () => this.acknowledge());
      return;
    }
    if (element.getName() !== 'a') return;
    const h = parseH(attr(element, 'h'));
    if (h === undefined) throw new TypeError('no h');
    const confirmed = this.#confirm(h);
    for (const { resolve } of [...this.#had.splice(0), ...confirmed]) resolve();
    this.#askedAt = undefined;
    wake(this.#answered);
    if (this.#sm.pending > 0) this.#askSoon();
    else if (this.isSettled) wake(this.#settled);
  }

  acknowledge(): void {
    this.#owed = undefined;
    this.#overdue?.stop();
    this.#overdue = undefined;
    this.#write?.(`<a xmlns='${NS_SM}' h='${this.#sm.h}'/>`);
  }

  ask(): void {
    this.#askedAt ??= this.#clock.mono();
    this.#write?.(`<r xmlns='${NS_SM}'/>`);
  }

  /** The peer's answer may be among what was not read: it is not late. */
  unask(): void {
    this.#askedAt = undefined;
  }

  /** Whether the peer answers within `ms`. */
  probe(ms: number): Promise<boolean> {
    this.ask();
    return this.#within(ms, this.#answered);
  }

  /** Waits until all that was sent is confirmed, but not longer than `ms`. */
  async settled(ms: number): Promise<boolean> {
    return this.isSettled || this.#within(ms, this.#settled);
  }

  /** Waits until all that came is durable, but not longer than `ms`: only then does `h` say which of it that is. */
  async handledAll(ms: number): Promise<boolean> {
    return this.#sm.unhandled === 0 || this.#within(ms, this.#idle);
  }

  /** Something that came will never be durable. */
  stuck(): void {
    wake(this.#idle, false);
  }

  /** The stream broke and may be resumed: nothing is asked or answered meanwhile. */
  suspend(): void {
    this.#write = undefined;
    this.#owed = undefined;
    this.#overdue?.stop();
    this.#overdue = undefined;
    this.#askedAt = undefined;
    wake(this.#answered, false);
  }

  /** Whether the peer can have that many. */
  admits(h: number): boolean {
    return this.#sm.admits(h);
  }

  /**
   * §5: another stream carries on. What the peer has is confirmed as soon as it has answered over the new one; what only this holds is sent again, if it still may; the rest
   * is given back to whoever sent it. How many those are: they must go before anything newer of theirs.
   */
  resume(h: number, write: (text: string) => void, error: Error): number {
    this.#write = write;
    // Nobody hears of what only this holds whether it was refused.
    for (const one of this.#confirm(h)) {
      if (one.text === undefined && !one.unkept) this.#had.push(one);
      else one.resolve();
    }
    const unacked = this.#sm.retract();
    this.#keptBytes = 0;
    this.#unkept = 0;
    const kept = unacked.filter(({ text }) => text !== undefined);
    for (const one of kept) {
      if (one.still?.() === false) {
        one.reject(error);
        continue;
      }
      write(one.text ?? '');
      this.sent(one);
    }
    for (const one of unacked) if (one.text === undefined) one.reject(error);
    if (this.#had.length > 0) this.#askSoon();
    return unacked.length - kept.length;
  }

  /** The stream has gone. */
  lose(error: Error): void {
    this.#lost = true;
    this.#write = undefined;
    this.#overdue?.stop();
    // What it had and perhaps refused goes again as well, and it knows that by its record.
    for (const { reject } of [...this.#had.splice(0), ...this.#sm.unacked()]) reject(error);
    wake(this.#settled);
    wake(this.#answered);
    wake(this.#idle);
  }

  /** What `h` newly covers; whoever sent it is still to be told. */
  #confirm(h: number): Pending[] {
    const confirmed = this.#sm.ack(h);
    for (const { text, unkept } of confirmed) {
      this.#keptBytes -= text?.length ?? 0;
      if (unkept) this.#unkept -= 1;
    }
    return confirmed;
  }

  /** At most one `<r/>` is out at a time: the answer to it asks for the next. */
  #askSoon(): void {
    if (this.#askedAt !== undefined || this.#asking) return;
    this.#asking = true;
    setImmediate(() => {
      this.#asking = false;
      if (this.#write && this.#askedAt === undefined && this.#sm.pending + this.#had.length > 0) this.ask();
    });
  }

  async #within(ms: number, waiters: ((answered?: boolean) => void)[]): Promise<boolean> {
    if (this.#lost) return false;
    return new Promise(resolve => {
      const waiter = (answered = true): void => {
        timer.stop();
        resolve(answered && !this.#lost);
      };
      const timer = this.#clock.after(ms, () => {
        // The answer may never come, and whoever asks again and again must not fill the list.
        waiters.splice(waiters.indexOf(waiter), 1);
        resolve(false);
      });
      waiters.push(waiter);
    });
  }
}

function wake(waiters: ((answered?: boolean) => void)[], answered = true): void {
  for (const waiter of waiters.splice(0)) waiter(answered);
}
