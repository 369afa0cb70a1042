/** One change in a batch; without a value the key is deleted. */
export interface Op {
  readonly key: Uint8Array;
  readonly value?: Uint8Array;
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
  /** Salvages what a damaged database still holds; only while closed. */
  repair(): Promise<void>;
  get(key: Uint8Array): Promise<Uint8Array | undefined>;
  getMany(keys: Uint8Array[]): Promise<(Uint8Array | undefined)[]>;
  /** All or nothing; with `sync` it resolves after the disk has it. */
  batch(ops: readonly Op[], options: { readonly sync: boolean }): Promise<void>;
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
