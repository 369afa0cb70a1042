/** Something with a next time; `Infinity` for none. Only the queue writes `queued`. */
export interface Due { due: number; queued: number }

interface Place<T> { readonly at: number; readonly item: T }

/**
 * Items by their next time. An item may move its `due` later without a word: it is looked at when its
 * old time comes. So refreshing a record costs nothing here. Moved earlier, it must be added again.
 */
export class DueQueue<T extends Due> {
  #heap: Place<T>[] = [];
  /** Items that have a place; the other places are stale. */
  #items = 0;

  /** Places held, stale ones among them. */
  get places(): number {
    return this.#heap.length;
  }

  add(item: T): void {
    if (item.due >= item.queued) return;
    if (item.queued === Infinity) this.#items++;
    item.queued = item.due;
    this.#tidy();
    this.#push({ at: item.due, item });
  }

  remove(item: T): void {
    item.due = Infinity;
    if (item.queued === Infinity) return;
    item.queued = Infinity;
    this.#items--;
  }

  /** The earliest time worth looking; may be too early, never too late. */
  next(): number {
    return this.#heap[0]?.at ?? Infinity;
  }

  /** Everything due by `now`; each must then be given a later `due` and added again, or forgotten. */
  take(now: number): T[] {
    const taken: T[] = [];
    for (let place = this.#heap[0]; place && place.at <= now; place = this.#heap[0]) {
      this.#pop();
      const { item } = place;
      if (item.queued !== place.at) continue;
      item.queued = Infinity;
      this.#items--;
      if (item.due <= now) taken.push(item);
      else if (item.due < Infinity) this.add(item);
    }
    return taken;
  }

  /** Stale places would keep what strangers sent until its time comes, an hour and more: they never outnumber the others. */
  #tidy(): void {
    if (this.#heap.length < 2 * this.#items + 64) return;
    // A sorted list is a heap.
    this.#heap = this.#heap.filter(({ at, item }) => item.queued === at).toSorted((a, b) => a.at - b.at);
  }

  #push(place: Place<T>): void {
    const heap = this.#heap;
    let at = heap.push(place) - 1;
    while (at > 0) {
      const up = (at - 1) >> 1;
      const parent = heap[up];
      if (!parent || parent.at <= place.at) break;
      heap[at] = parent;
      at = up;
    }
    heap[at] = place;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (!last || heap.length === 0) return;
    let at = 0;
    for (;;) {
      let down = at * 2 + 1;
      const left = heap[down];
      if (!left) break;
      const right = heap[down + 1];
      if (right && right.at < left.at) down++;
      const child = heap[down];
      if (!child || child.at >= last.at) break;
      heap[at] = child;
      at = down;
    }
    heap[at] = last;
  }
}
