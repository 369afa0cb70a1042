import type { Box, Delivery, ItemsOptions } from '../../src/index.ts';
import { sizeOf } from './payload-form.ts';

/** The most that a box gives at once. */
const PAGE = 1000;
/** Nobody knows yet how large they are. */
const FIRST_PAGE = 100;
const PAGE_BYTES = 4 * 1024 * 1024;

/** The items of a query in order, a page at a time, to their end where it has a beginning and no limit of its own. */
export async function* itemPages(box: Box, topic: string, query: ItemsOptions): AsyncGenerator<Delivery> {
  if (query.from === undefined && query.after === undefined) {
    yield* await box.items(topic, query);
    return;
  }
  let left = query.limit ?? Infinity;
  let next: ItemsOptions = query;
  let most = FIRST_PAGE;
  while (left > 0) {
    const limit = Math.min(most, left);
    const page = await box.items(topic, { ...next, limit });
    yield* page;
    const last = page.at(-1);
    if (!last || page.length < limit) return;
    left -= page.length;
    next = { after: last.seq };
    const bytes = page.reduce((sum, delivery) => sum + (delivery.kind === 'item' ? sizeOf(delivery.value) : 0), 0);
    most = Math.min(PAGE, Math.max(1, Math.floor(PAGE_BYTES * page.length / Math.max(bytes, 1))));
  }
}
