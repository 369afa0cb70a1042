/** Whoever reads the log: open cursors, and durable ones also while closed. */
export interface Reader {
  readonly filter: string;
  readonly durable: boolean;
  /** Up to here it wants nothing kept. */
  readonly kept: number;
  /** A record up to `seq` was deleted before it had read it. */
  tellLost(seq: number): void;
}

/** Up to where none of these readers wants anything kept; who is not durable cannot ask for what is before the horizon. */
export function keptFrom(readers: readonly Reader[], horizon: number): number {
  let kept = Infinity;
  for (const reader of readers) kept = Math.min(kept, reader.durable ? reader.kept : Math.max(reader.kept, horizon));
  return kept;
}

export function tellLost(readers: readonly Reader[], seq: number): void {
  for (const reader of readers) if (reader.kept < seq) reader.tellLost(seq);
}
