import { decodeRow, encodeRow } from './cbor.ts';

/** What the disk keeps of a cursor. */
export interface ProgressRow {
  /** Every matching record up to here is done. */
  readonly position: number;
  /** Nothing above this has ever been handed out. */
  readonly handed: number;
  /** Ranges above `position` that are done too. */
  readonly done: readonly (readonly [from: number, to: number])[];
  /** Records in those ranges, as far as they were counted. */
  readonly above?: number;
}

/** A row as numbers in a line, as it stands on disk. */
export function progressNumbers(row: ProgressRow): number[] {
  return [row.position, row.handed, row.above ?? 0, ...row.done.flat()];
}

export function progressOf([position = 0, handed = 0, above = 0, ...flat]: readonly number[]): ProgressRow {
  const done: [number, number][] = [];
  for (let i = 0; i + 1 < flat.length; i += 2) done.push([flat[i]!, flat[i + 1]!]);
  return { position, handed, done, above };
}

export function encodeProgress(row: ProgressRow): Uint8Array {
  return encodeRow(progressNumbers(row));
}

export function decodeProgress(bytes: Uint8Array): ProgressRow {
  return progressOf(decodeRow<number[]>(bytes));
}
