// XEP-0198 version 1.6.1, sans-IO: who has what, as counters and positions. It holds no stanzas; what a
// position stands for is sent again from wherever the sender keeps it.
export const NS_SM = 'urn:xmpp:sm:3';

const WRAP = 2 ** 32;

/** XEP-0198 §4: acknowledging more than was sent ends the stream. */
export class HandledCountTooHigh extends Error {
  override readonly name = 'HandledCountTooHigh';
  readonly h: number;
  readonly sent: number;

  constructor(h: number, sent: number) {
    super(`the other side acknowledged ${h} stanzas, but only ${sent} were sent`);
    this.h = h;
    this.sent = sent;
  }
}

export class StreamManagement<T> {
  readonly #askEvery: number;
  readonly #start: number;
  /** Positions sent and not acknowledged, oldest first. */
  #queue: T[] = [];
  /** All ever sent and all ever acknowledged, mod 2^32. */
  #sent = 0;
  #acked = 0;
  #sinceAsked = 0;
  #arrived = 0;
  #handledPrefix = 0;
  readonly #handledAhead = new Set<number>();

  /** `start`: where both counters stand, for a session taken up from elsewhere. */
  constructor(options: { readonly askEvery?: number; readonly start?: number } = {}) {
    this.#askEvery = options.askEvery ?? 16;
    this.#start = options.start ?? 0;
    this.#sent = this.#start;
    this.#acked = this.#start;
  }

  /** A stanza goes out. True: it is time to ask for an acknowledgement. */
  sent(position: T): boolean {
    this.#queue.push(position);
    this.#sent = (this.#sent + 1) % WRAP;
    if (++this.#sinceAsked < this.#askEvery) return false;
    this.#sinceAsked = 0;
    return true;
  }

  /** `<r/>` was sent for another reason. */
  asked(): void {
    this.#sinceAsked = 0;
  }

  /** What `h` newly confirms, in order. §4: it wraps at 2^32. */
  ack(h: number): T[] {
    // An h that goes back is indistinguishable from one far too high; both are the peer's fault.
    if (!this.admits(h)) throw new HandledCountTooHigh(h, this.#sent);
    const count = this.#ahead(h);
    this.#acked = h;
    return this.#queue.splice(0, count);
  }

  /** Whether the other side can have handled that many. */
  admits(h: number): boolean {
    return Number.isInteger(h) && h >= 0 && h < WRAP && this.#ahead(h) <= this.#queue.length;
  }

  #ahead(h: number): number {
    return (h - this.#acked + WRAP) % WRAP;
  }

  /** §5: what was not acknowledged is as if it had never been sent: it is sent again, under the numbers it had. */
  retract(): T[] {
    this.#sent = this.#acked;
    this.#sinceAsked = 0;
    return this.#queue.splice(0);
  }

  unacked(): T[] {
    return [...this.#queue];
  }

  get pending(): number {
    return this.#queue.length;
  }

  /** A stanza came in; its number is given back to `handled` when what it caused is safe. */
  arrived(): number {
    return this.#arrived++;
  }

  handled(n: number): void {
    if (n < this.#handledPrefix || n >= this.#arrived) return;
    if (n > this.#handledPrefix) this.#handledAhead.add(n);
    else do this.#handledPrefix++; while (this.#handledAhead.delete(this.#handledPrefix));
  }

  /** §5: on the new connection what was not handled comes again, under the numbers it had. */
  resumed(): void {
    this.#arrived = this.#handledPrefix;
    this.#handledAhead.clear();
  }

  /** How many came in and are not handled: what a receiver bounds. */
  get unhandled(): number {
    return this.#arrived - this.#handledPrefix;
  }

  /** The length of the handled prefix: what may be acknowledged. */
  get h(): number {
    return (this.#start + this.#handledPrefix) % WRAP;
  }
}

/** An `h` attribute: xs:unsignedInt, or undefined. */
export function parseH(text: string | undefined): number | undefined {
  if (text === undefined || !/^\d{1,10}$/.test(text)) return undefined;
  const h = Number(text);
  return h < WRAP ? h : undefined;
}
