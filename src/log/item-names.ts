import type { IndexRow } from './index-row.ts';
import type { Draft } from './record.ts';

const NONE: readonly string[] = [];
const WHOLE_TOPIC: readonly string[] = [''];

/**
 * Under which names an item replaces others: the id its publisher chose, and in the lane `latest` its key or,
 * without either, the topic itself. Ids have no control characters, so a key is told from an id by the NUL before it.
 */
export function replaces({ kind, id, key }: Pick<Draft, 'kind' | 'id' | 'key'>, lane: unknown): readonly string[] {
  if (kind === 'retract') return id === undefined ? NONE : [id];
  if (kind !== 'publish') return NONE;
  if (lane !== 'latest') return id === undefined ? NONE : [id];
  return key === undefined ? id === undefined ? WHOLE_TOPIC : [id] : id === undefined ? [keyName(key)] : [id, keyName(key)];
}

export function keyName(key: string): string {
  return `\0${key}`;
}

/** The names that an item in the index goes by. */
export function namesOf({ id, key }: Pick<IndexRow, 'id' | 'key'>): readonly string[] {
  if (key === undefined) return id === undefined ? NONE : [id];
  return id === undefined ? [keyName(key)] : [id, keyName(key)];
}
