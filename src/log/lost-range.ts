import { decodeRow, encodeRow } from './cbor.ts';
import type { Row } from './database.ts';
import { lostKey, readerSeqOf } from './keys.ts';
import { type LostTopicsRow, lostTopicsOf, lostTopicsRow } from './lost-topics.ts';
import type { GapInfo, GapReason } from './record.ts';

/** What one subscription lost, until it has confirmed that it was told. */
export interface LostRange extends GapInfo {
  readonly count: number;
}

/** Neighbours, with nothing between them that the reader still gets, are one; the topics of `next` are those of both. */
export function joined(before: LostRange | undefined, next: LostRange): LostRange {
  return before ? { ...next, from: before.from, count: before.count + next.count } : next;
}

export function lostRow(name: string, { from, to, count, reason, ...topics }: GapInfo): Row {
  return [lostKey(name, from), encodeRow([to, count, reason, ...lostTopicsRow(topics)])];
}

export function decodeLost([key, value]: Row): { readonly name: string; readonly lost: GapInfo } {
  const { name, seq: from } = readerSeqOf(key);
  const [to, count, reason, ...topics] = decodeRow<[number, number | undefined, GapReason, ...LostTopicsRow]>(value);
  return { name, lost: { from, to, ...(count !== undefined && { count }), reason, ...lostTopicsOf(topics) } };
}

/** Up to where a reader at that position may go without meeting what is lost. */
export function clearTo({ from, to }: LostRange, at: number): number {
  return to < at ? Infinity : Math.max(from, at) - 1;
}
