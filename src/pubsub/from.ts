import type { From } from '../api.ts';
import { LanpostError } from '../errors.ts';

/** Where a reader begins. */
export function checkedFrom(from: From): From {
  const isPosition = typeof from === 'object' && from !== null
    && Number.isFinite('seq' in from ? from.seq : from.time);
  if (isPosition || from === 'new' || from === 'last' || from === 'start') return from;
  throw new LanpostError('invalid-value', 'from must be new, last, start, {seq} or {time}');
}
