/** A durable reader as people know it: programs of this box give a name, roads have one of their own. */
export function readerName(cursor: string): string {
  return cursor.startsWith('local:') ? cursor.slice('local:'.length) : cursor;
}
