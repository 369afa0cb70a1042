// A home that has left others of its group begins anew, and may have much of it already: up to here it is asked before anything is
// sent. Nobody noted what of the group's came to which of its homes.
import type { Registry } from '../log/registry.ts';

const keyOf = (reader: string): string => `home-left:${reader}`;

/** Seq of the last record that may have come to it while it was in the group. */
export function leftAt(registry: Registry, reader: string): number {
  return Number(registry.get(keyOf(reader)) ?? 0);
}

/** A row to be written with the account. */
export function asLeft(reader: string, head: number): readonly [key: string, value: number] {
  return [keyOf(reader), head];
}

/** The row of one reader as that of another, which goes on where that was. */
export function leftAs(registry: Registry, from: string, to: string): (readonly [key: string, value: number])[] {
  const head = leftAt(registry, from);
  return head > 0 ? [asLeft(to, head)] : [];
}

export async function forgetLeft(registry: Registry, reader: string): Promise<void> {
  if (registry.get(keyOf(reader)) !== undefined) await registry.set(keyOf(reader), undefined);
}
