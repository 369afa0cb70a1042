import type { Grant, Right } from '../api.ts';
import { LanpostError } from '../errors.ts';
import { validFilter } from '../log/filter.ts';

/** A grant that could never match would be taken for one that does. */
export function checkedGrant(right: Right, filter: string): Grant {
  if (right !== 'read' && right !== 'write') throw new TypeError('a right is read or write');
  if (typeof filter !== 'string') throw new TypeError('a filter must be a string');
  if (!validFilter(filter)) throw new LanpostError('invalid-topic', `${JSON.stringify(filter.slice(0, 80))} is not a filter: + stands for one whole level, # for all that follow, at the end`);
  return { right, filter };
}

/**
 * Whether everything that `asked` (a topic or a filter) can match is matched by `granted` too.
 * A leading wildcard never reaches `$…`: those topics must be granted by name.
 */
export function covers(granted: string, asked: string): boolean {
  const have = granted.split('/');
  const want = asked.split('/');
  const reserved = asked.startsWith('$');
  for (const [i, level] of have.entries()) {
    const other = want[i];
    if (level === '#') return !(i === 0 && reserved);
    if (other === undefined || other === '#') return false;
    if (level === '+' ? i === 0 && reserved : level !== other) return false;
  }
  return have.length === want.length;
}

export function anyCovers(grants: readonly Grant[], right: Right, asked: string): boolean {
  return grants.some(grant => grant.right === right && covers(grant.filter, asked));
}
