import { decodeRow, encodeRow } from './cbor.ts';
import type { Row } from './database.ts';
import { lostKey, readerSeqOf } from './keys.ts';
import type { GapInfo, GapReason } from './record.ts';

/** What one subscription lost, until it has confirmed that it was told. */
export interface LostRange extends GapInfo {
  readonly count: number;
}

/** Neighbours, with nothing between them that the reader still gets, are one. */
export function joined(before: LostRange | undefined, next: LostRange): LostRange {
  return before ? { from: before.from, to: next.to, count: before.count + next.count, reason: next.reason } : next;
}

export function lostRow(name: string, { from, to, count, reason }: LostRange): Row {
  return [lostKey(name, from), encodeRow([to, count, reason])];
}

export function decodeLost([key, value]: Row): { readonly name: string; readonly lost: LostRange } {
  const { name, seq: from } = readerSeqOf(key);
  const [to, count, reason] = decodeRow<[number, number, GapReason]>(value);
  return { name, lost: { from, to, count, reason } };
}

/** Up to where a reader at that position may go without meeting what is lost. */
export function clearTo({ from, to }: LostRange, at: number): number {
  return to < at ? Infinity : Math.max(from, at) - 1;
}
