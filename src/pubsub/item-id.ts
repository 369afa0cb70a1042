import { LanpostError } from '../errors.ts';
import { isSayable } from '../sayable.ts';

const MAX_BYTES = 512;

/** XEP-0060 leaves item ids free; ours are bounded, so that an index key is, and can stand in XML, so that every road can carry them. */
export function isItemId(id: string): boolean {
  return id !== '' && isSayable(id) && Buffer.byteLength(id) <= MAX_BYTES;
}

export function checkedItemId(id: string): void {
  if (typeof id !== 'string') throw new TypeError('an item id must be a string');
  if (!isSayable(id)) throw new LanpostError('invalid-value', 'an item id has no control characters');
  if (!isItemId(id)) throw new LanpostError('invalid-value', `an item id has 1 to ${MAX_BYTES} bytes`);
}
