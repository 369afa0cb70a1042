import { randomInt } from 'node:crypto';

/** Records in memory are counted from here on, so that no seq stands for one of them and for one on disk. */
export const MEMORY_FROM: number = 2 ** 52;

/**
 * Where this process begins to count. Not at the same place as the one before: a position that somebody remembers
 * of that one means nothing in this one, and must not be taken for one that it has.
 */
export function firstInMemory(): number {
  return MEMORY_FROM + 8 * randomInt(2 ** 48 - 1);
}

export function isInMemory(seq: number): boolean {
  return seq >= MEMORY_FROM;
}
