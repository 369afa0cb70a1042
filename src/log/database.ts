/** One change in a batch; without a value the key is deleted. */
export interface Op {
  readonly key: Uint8Array;
  readonly value?: Uint8Array;
}

/** Changes that are written together. What it is given is copied at once: the caller may use its buffers again. */
export interface Batch {
  put(key: Uint8Array, value: Uint8Array): void;
  del(key: Uint8Array): void;
  /** All or nothing; with `sync` it resolves after the disk has it. */
  write(options: { readonly sync: boolean }): Promise<void>;
  /** Instead of `write`. */
  discard(): Promise<void>;
}

export interface RangeOptions {
  readonly gt?: Uint8Array;
  readonly gte?: Uint8Array;
  readonly lt?: Uint8Array;
  readonly lte?: Uint8Array;
  readonly reverse?: boolean;
  /** Rows in the page. */
  readonly limit: number;
  /** Bytes of values after which the page ends early; at least one row is given. */
  readonly bytes?: number;
}

export type Row = readonly [key: Uint8Array, value: Uint8Array];

/**
 * The database port: ordered keys, atomic batches. `range` gives one page, so that no iterator
 * is ever held open while a consumer thinks.
 */
export interface Database {
  /** Where it is, for people. */
  readonly location: string;
  /** Throws `locked` when another process holds it, `corrupt` when it cannot be read. */
  open(): Promise<void>;
  close(): Promise<void>;
  /** Bytes of its write-ahead log that the last opening found: nothing older than the newest so many can have been in there. */
  readonly replayed: number;
  /** Salvages what a damaged database still holds; only while closed. */
  repair(): Promise<void>;
  get(key: Uint8Array): Promise<Uint8Array | undefined>;
  getMany(keys: Uint8Array[]): Promise<(Uint8Array | undefined)[]>;
  batch(): Batch;
  range(options: RangeOptions): Promise<Row[]>;
  /** Reclaims the space of deleted keys from `from` up to `to`; also moves what is in memory into table files. */
  compact(from: Uint8Array, to: Uint8Array): Promise<void>;
  /** Approximate bytes on disk between two keys. */
  size(from: Uint8Array, to: Uint8Array): Promise<number>;
  /** Bytes free on its disk. */
  free(): Promise<number>;
  /** Notes the head outside of the database, unsynced: a second witness of how far the log went. */
  witness(head: number, suspect?: boolean): void;
  /** What was last noted. `suspect`: readers may be further than their cursors say. */
  witnessed(): Promise<{ readonly head: number; readonly suspect: boolean }>;
}

/** Writes these changes and nothing else, and waits for the disk. */
export function writeSynced(database: Database, ops: readonly Op[]): Promise<void> {
  const batch = database.batch();
  for (const op of ops) apply(batch, op);
  return batch.write({ sync: true });
}

const PAGE = 1000;
const PAGE_BYTES = 1 << 20;

/** All rows between two keys, a page at a time. */
export async function* rowsOf(database: Database, range: { readonly gte: Uint8Array; readonly lt: Uint8Array }): AsyncIterableIterator<Row[]> {
  let page = await database.range({ ...range, limit: PAGE, bytes: PAGE_BYTES });
  while (page.length > 0) {
    yield page;
    page = await database.range({ gt: page.at(-1)![0], lt: range.lt, limit: PAGE, bytes: PAGE_BYTES });
  }
}

export function apply(batch: Pick<Batch, 'put' | 'del'>, { key, value }: Op): void {
  if (value === undefined) batch.del(key);
  else batch.put(key, value);
}
