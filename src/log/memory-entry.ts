import type { RingEntry } from './ring.ts';

/** A record in memory, and where it stands among those on disk. */
export interface MemoryEntry extends RingEntry {
  /** The newest on disk when it came: whatever is above came after it. */
  readonly after: number;
}
