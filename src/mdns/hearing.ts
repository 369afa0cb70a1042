/** Senders told apart on one link; beyond that they are only counted as packets. */
const MAX_SENDERS = 1024;

/** What was heard on one link, in numbers: for whoever asks why somebody is not seen. */
export class Hearing {
  packets = 0;
  /** Of those: answers and announcements. */
  #responses = 0;
  unreadable = 0;
  unreadableFrom: string | undefined;
  conflicts = 0;
  /** Monotonic time of the last packet of another host. */
  last: number | undefined;
  readonly #senders = new Set<string>();

  get senders(): number {
    return this.#senders.size;
  }

  get responses(): number {
    return this.#responses;
  }

  response(from: string): void {
    if (this.#senders.has(from) || this.#senders.size >= MAX_SENDERS) this.#responses++;
  }

  packet(from: string, now: number): void {
    this.packets++;
    this.last = now;
    if (this.#senders.size < MAX_SENDERS) this.#senders.add(from);
  }

  cannotRead(from: string): void {
    this.unreadable++;
    this.unreadableFrom = from;
  }
}
