/** What breaks a silence again and again says less each time: the next must be twice as long, to an hour. ms. */
const LONGEST = 3_600_000;

/** How long nothing was heard, of one host or of all, and whether that was long enough to mean something. */
export class Silence {
  last: number;
  #enough: number;

  constructor(now: number, enough: number) {
    this.last = now;
    this.#enough = enough;
  }

  /** Something is heard; whether that is news. */
  broken(now: number): boolean {
    const silent = now - this.last;
    this.last = now;
    if (silent < this.#enough) return false;
    this.#enough = Math.min(this.#enough * 2, LONGEST);
    return true;
  }
}
