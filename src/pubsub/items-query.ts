import type { ItemsOptions } from '../api.ts';
import { LanpostError } from '../errors.ts';
import type { ItemsQuery } from '../log/items-query.ts';
import { checkedFrom } from './from.ts';

/** Every item of an answer is in memory at once. */
const MOST_ITEMS = 1000;

/** Which items are asked for, in one way. */
export function checkedQuery({ ids, after, from, last, limit }: ItemsOptions): ItemsQuery {
  const ways = Object.entries({ ids, last, from, after }).filter(([, way]) => way !== undefined).map(([name]) => name);
  if (ways.length > 1) throw new LanpostError('invalid-value', `items are asked for by one of ids, last, from and after, not by ${ways.join(' and ')}`);
  for (const [name, count] of Object.entries({ last, limit, 'number of ids': ids?.length || undefined })) {
    if (count !== undefined && !(Number.isInteger(count) && count >= 1 && count <= MOST_ITEMS)) {
      throw new LanpostError('invalid-value', `the ${name} must be a whole number from 1 to ${MOST_ITEMS}`);
    }
  }
  const newest = last ?? (ways.length === 0 ? 20 : undefined);
  return {
    limit: limit ?? last ?? 100,
    ...(ids === undefined ? {} : { ids }),
    ...(after === undefined ? {} : { after }),
    ...(from === undefined ? {} : beginning(from)),
    ...(newest === undefined ? {} : { last: newest }),
  };
}

function beginning(from: NonNullable<ItemsOptions['from']>): ItemsQuery {
  const begin = checkedFrom(from);
  if (begin === 'start') return { after: 0 };
  if (typeof begin === 'string') throw new LanpostError('invalid-value', 'items are asked for from start, {seq} or {time}');
  return 'seq' in begin ? { after: begin.seq - 1 } : { since: begin.time };
}
