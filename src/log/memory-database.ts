import type { Batch, Database, Op, RangeOptions, Row } from './database.ts';

/** Index of the first row whose key is not below `key`. */
function lowerBound(rows: Row[], key: Uint8Array): number {
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (Buffer.compare(rows[middle]![0], key) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The database port in memory: for tests, and to show what the port promises. */
export class MemoryDatabase implements Database {
  readonly location = 'memory';
  /** It cannot tell what a crash would have left where. */
  readonly replayed: number = Infinity;
  /** Bytes `free` answers. */
  freeBytes: number = Number.MAX_SAFE_INTEGER;
  /** When set, the next batches fail with it, as a full disk does. */
  failure: Error | undefined;
  #rows: Row[] = [];
  #bytes = 0;
  #open = false;
  #witness = { head: 0, suspect: false };

  /** What a power cut would leave, as another database. */
  fork(): MemoryDatabase {
    const fork = new MemoryDatabase();
    fork.#rows = [...this.#rows];
    fork.#bytes = this.#bytes;
    fork.#witness = this.#witness;
    return fork;
  }

  async open(): Promise<void> {
    this.#open = true;
  }

  async close(): Promise<void> {
    this.#open = false;
  }

  async repair(): Promise<void> {
    this.#assert(false);
  }

  async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    this.#assert(true);
    return this.#find(key)?.[1];
  }

  async getMany(keys: Uint8Array[]): Promise<(Uint8Array | undefined)[]> {
    this.#assert(true);
    return keys.map((key) => this.#find(key)?.[1]);
  }

  batch(): Batch {
    this.#assert(true);
    const ops: Op[] = [];
    return {
      put: (key, value) => void ops.push({ key: Uint8Array.from(key), value: Uint8Array.from(value) }),
      del: (key) => void ops.push({ key: Uint8Array.from(key) }),
      write: async () => {
        this.#assert(true);
        if (this.failure) throw this.failure;
        for (const op of ops) this.#apply(op);
      },
      discard: async () => undefined,
    };
  }

  async range(options: RangeOptions): Promise<Row[]> {
    this.#assert(true);
    const { gt, gte, lt, lte, reverse = false, limit, bytes = Infinity } = options;
    let from = 0;
    if (gte) from = lowerBound(this.#rows, gte);
    if (gt) {
      from = lowerBound(this.#rows, gt);
      if (this.#has(from, gt)) from++;
    }
    let to = this.#rows.length;
    if (lt) to = lowerBound(this.#rows, lt);
    if (lte) {
      to = lowerBound(this.#rows, lte);
      if (this.#has(to, lte)) to++;
    }
    const page: Row[] = [];
    let held = 0;
    for (let i = reverse ? to - 1 : from; reverse ? i >= from : i < to; i += reverse ? -1 : 1) {
      const row = this.#rows[i]!;
      page.push(row);
      held += row[1].length;
      if (page.length >= limit || held >= bytes) break;
    }
    return page;
  }

  async compact(): Promise<void> {
    this.#assert(true);
  }

  async size(from: Uint8Array, to: Uint8Array): Promise<number> {
    const start = lowerBound(this.#rows, from);
    const end = lowerBound(this.#rows, to);
    if (start === 0 && end === this.#rows.length) return this.#bytes;
    let sum = 0;
    for (const [key, value] of this.#rows.slice(start, end)) sum += key.length + value.length;
    return sum;
  }

  async free(): Promise<number> {
    return this.freeBytes;
  }

  witness(head: number, suspect: boolean = false): void {
    this.#witness = { head, suspect };
  }

  async witnessed(): Promise<{ head: number; suspect: boolean }> {
    return this.#witness;
  }

  #apply({ key, value }: Op): void {
    const at = lowerBound(this.#rows, key);
    const old = this.#has(at, key) ? this.#rows[at]! : undefined;
    if (old) this.#bytes -= old[0].length + old[1].length;
    if (value === undefined) {
      if (old) this.#rows.splice(at, 1);
      return;
    }
    const row: Row = [key, value];
    this.#bytes += key.length + value.length;
    this.#rows.splice(at, old ? 1 : 0, row);
  }

  #find(key: Uint8Array): Row | undefined {
    const at = lowerBound(this.#rows, key);
    return this.#has(at, key) ? this.#rows[at] : undefined;
  }

  #has(at: number, key: Uint8Array): boolean {
    const row = this.#rows[at];
    return row !== undefined && Buffer.compare(row[0], key) === 0;
  }

  #assert(open: boolean): void {
    if (this.#open !== open) throw new Error(open ? 'the database is not open' : 'the database is open');
  }
}
