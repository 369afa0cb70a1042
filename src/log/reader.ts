/** Whoever reads the log: open cursors, and durable ones also while closed. */
export interface Reader {
  readonly filter: string;
  readonly durable: boolean;
  /** Up to here it wants nothing kept. */
  readonly kept: number;
  /** Records of that topic were deleted, in order: what of them it has not read is lost to it. */
  tellLost(topic: string, seqs: readonly number[]): void;
}

/** Up to where none of these readers wants anything kept; who is not durable cannot ask for what is before the horizon. */
export function keptFrom(readers: readonly Reader[], horizon: number): number {
  let kept = Infinity;
  for (const reader of readers) kept = Math.min(kept, reader.durable ? reader.kept : Math.max(reader.kept, horizon));
  return kept;
}

export function tellLost(readers: readonly Reader[], topic: string, seqs: readonly number[]): void {
  const last = seqs.at(-1) ?? 0;
  for (const reader of readers) if (reader.kept < last) reader.tellLost(topic, seqs);
}
