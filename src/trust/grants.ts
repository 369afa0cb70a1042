import type { Grant, Right } from '../api.ts';

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
