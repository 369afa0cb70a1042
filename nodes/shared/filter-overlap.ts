/** Whether a topic, or a filter, may have something of what a filter has. */
export function overlap(filter: string, other: string): boolean {
  const [one, two] = [filter.split('/'), other.split('/')];
  for (let level = 0; ; level++) {
    const [a, b] = [one[level], two[level]];
    if (a === '#' || b === '#') return true;
    if (a === undefined || b === undefined) return a === b;
    if (a !== b && a !== '+' && b !== '+') return false;
  }
}
