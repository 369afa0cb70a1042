import type { ItemsOptions } from '../api.ts';
import { LanpostError } from '../errors.ts';
import { checkedObject, checkedOptional } from '../given.ts';
import type { ItemsQuery } from '../log/items-query.ts';
import { checkedFrom } from './from.ts';

/** Every item of an answer is in memory at once. */
const MOST_ITEMS = 1000;

/** Which items are asked for, in one way. */
export function checkedQuery(options: ItemsOptions): ItemsQuery {
  checkedObject('the options of a query', options);
  const { ids, after, from, last, limit, ...others } = options;
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) throw new LanpostError('invalid-value', `items are asked for by ids, last, from, after and limit, and not by ${unknown}`);
  if (ids !== undefined && !(Array.isArray(ids) && ids.every((id) => typeof id === 'string'))) throw new TypeError('ids must be a list of strings');
  for (const [name, value] of Object.entries({ after, last, limit })) checkedOptional(name, value, 'number');
  if (after !== undefined && !(Number.isSafeInteger(after) && after >= 0)) throw new LanpostError('invalid-value', 'after must be a position: a whole number from 0');
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
