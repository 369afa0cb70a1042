import type { HomeItem } from './item.ts';

/**
 * Records of one opening of one box's store in the order of their numbers, in the places that they have: a service
 * may have them in another, where one was sent again after those that followed it.
 */
export function inOrder(items: readonly HomeItem[]): HomeItem[] {
  const places = new Map<string, number[]>();
  for (const [i, { origin }] of items.entries()) {
    if (!origin) continue;
    const source = `${origin.box} ${origin.epoch}`;
    const list = places.get(source);
    if (list) list.push(i);
    else places.set(source, [i]);
  }
  const ordered = [...items];
  for (const list of places.values()) {
    const sorted = list.flatMap((i) => items[i] ?? []).toSorted((a, b) => (a.origin?.seq ?? 0) - (b.origin?.seq ?? 0));
    for (const [n, i] of list.entries()) ordered[i] = sorted[n] ?? ordered[i]!;
  }
  return ordered;
}
