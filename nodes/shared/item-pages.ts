import type { Box, Delivery, ItemsOptions } from '../../src/index.ts';

/** The most that a box gives at once. */
const PAGE = 1000;

/** The items of a query in order, a page at a time, to their end where it has a beginning and no limit of its own. */
export async function* itemPages(box: Box, topic: string, query: ItemsOptions): AsyncGenerator<Delivery> {
  if (query.from === undefined && query.after === undefined) {
    yield* await box.items(topic, query);
    return;
  }
  let left = query.limit ?? Infinity;
  let next: ItemsOptions = query;
  while (left > 0) {
    const limit = Math.min(PAGE, left);
    const page = await box.items(topic, { ...next, limit });
    yield* page;
    const last = page.at(-1);
    if (!last || page.length < limit) return;
    left -= page.length;
    next = { after: last.seq };
  }
}
