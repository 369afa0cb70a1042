import type { TopicConfig } from '../api.ts';
import { LanpostError } from '../errors.ts';

/** Least right by default: only the owner and peers with a grant read or publish. */
export const DEFAULT_CONFIG: TopicConfig = {
  accessModel: 'whitelist',
  publishModel: 'publishers',
  maxItems: 1000,
  lane: 'history',
};

/** The most items a view may name; the disk bounds it long before. */
const MAX_ITEMS = 2 ** 31;

const TEXT_FIELDS = ['title', 'description', 'type'] as const;

/** The configuration that `change` makes of `before`, with every field checked. */
export function configured(before: TopicConfig, change: Partial<TopicConfig>): TopicConfig {
  const known = new Set([...Object.keys(DEFAULT_CONFIG), ...TEXT_FIELDS]);
  for (const field of Object.keys(change)) {
    if (!known.has(field)) throw new LanpostError('invalid-value', `topic setting "${field}" is not known`);
  }
  const after = { ...before, ...change };
  for (const field of TEXT_FIELDS) {
    const text = after[field];
    if (text !== undefined && (typeof text !== 'string' || text.length > 1024)) {
      throw new LanpostError('invalid-value', `topic setting "${field}" must be text of at most 1024 characters`);
    }
  }
  oneOf('accessModel', after.accessModel, ['open', 'whitelist']);
  oneOf('publishModel', after.publishModel, ['publishers', 'open']);
  oneOf('lane', after.lane, ['history', 'latest']);
  if (!Number.isInteger(after.maxItems) || after.maxItems < 1 || after.maxItems > MAX_ITEMS) {
    throw new LanpostError('invalid-value', `topic setting "maxItems" must be a whole number from 1 to ${MAX_ITEMS}`);
  }
  return after;
}

function oneOf(field: string, value: string, allowed: readonly string[]): void {
  if (!allowed.includes(value)) {
    throw new LanpostError('invalid-value', `topic setting "${field}" must be one of ${allowed.join(', ')}`);
  }
}
