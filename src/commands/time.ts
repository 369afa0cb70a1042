import { LanpostError } from '../errors.ts';

const [USUAL, MOST] = [30_000, 3_600_000];

/** How long a command, or an answer, is waited for; ms. */
export function checkedTime(timeout: unknown): number {
  if (timeout === undefined) return USUAL;
  if (typeof timeout !== 'number') throw new TypeError('a timeout must be a number of milliseconds');
  if (!(timeout >= 1 && timeout <= MOST)) throw new LanpostError('invalid-value', `a timeout is 1 to ${MOST} ms`);
  return timeout;
}
