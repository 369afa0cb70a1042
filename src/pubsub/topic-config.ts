import type { TopicConfig, TopicSettings } from '../api.ts';
import { checkedObject } from '../given.ts';
import { isWritable } from '../sayable.ts';
import { TOPIC_FIELDS, type TopicField } from '../topic-fields.ts';
import { Refusal } from './refusal.ts';
import { checkedSchema } from './schema/schema.ts';

/** Least right by default: only the owner, and peers with a grant, read or publish; and nothing is lost. What is not here is not set unless somebody does. */
export const DEFAULT_CONFIG: TopicConfig = Object.freeze({
  tags: Object.freeze([]),
  accessModel: 'whitelist',
  rosterGroups: Object.freeze([]),
  publishModel: 'publishers',
  maxItems: 1000,
  full: 'drop-oldest',
  lane: 'history',
  storage: 'disk',
  persist: true,
  deliverNotifications: true,
  deliverPayloads: true,
  notifyConfig: true,
  notifyDelete: true,
  notifyRetract: true,
  notifySub: false,
  notificationType: 'headline',
  presenceBased: false,
  sendLast: 'never',
  purgeOffline: false,
});

/** The configuration that `change` makes of `before`, with every field checked. `null` takes a setting back, and so does what is empty where there is no default. */
export function configured(before: TopicConfig, change: TopicSettings): TopicConfig {
  checkedObject('a topic configuration', change);
  const fields = new Map<string, TopicField>(Object.entries(TOPIC_FIELDS));
  const after: Record<string, unknown> = { ...before };
  for (const [name, value] of Object.entries(change)) {
    if (value === undefined) continue;
    const field = fields.get(name);
    if (!field) throw new Refusal('invalid-config', `topic setting "${name}" is not known`);
    if (value === null || (isNothing(value) && !Object.hasOwn(DEFAULT_CONFIG, name))) {
      delete after[name];
      continue;
    }
    const wanted = wrong(field, value);
    if (wanted !== undefined) throw new Refusal('invalid-config', `topic setting "${name}" must be ${wanted}`);
    after[name] = name === 'schema' ? checkedSchema(value) : value;
  }
  if (after['key'] !== undefined && after['lane'] !== 'latest') throw new Refusal('invalid-config', 'topic setting "key" is for the lane latest');
  return { ...DEFAULT_CONFIG, ...after };
}

function isNothing(value: unknown): boolean {
  return value === '' || value === 0 || (Array.isArray(value) && value.length === 0);
}

/** What it should be, when it is not. */
function wrong(field: TopicField, value: unknown): string | undefined {
  switch (field.kind) {
    case 'text': {
      const fits = isText(value, field.most) && (value === '' || (field.form?.test(value) ?? true));
      return fits ? undefined : `text of at most ${field.most} characters${field.form ? ` that matches ${String(field.form)}` : ''}`;
    }
    case 'texts': {
      const each = (one: unknown): boolean => isText(one, field.each) && one !== '' && (field.of?.includes(one) ?? true);
      const fits = Array.isArray(value) && value.length <= field.most && new Set(value).size === value.length && value.every(each);
      return fits ? undefined : `a list of at most ${field.most}, each once and ${field.of ? `one of ${field.of.join(', ')}` : `of 1 to ${field.each} characters`}`;
    }
    case 'choice': return typeof value === 'string' && field.choices.includes(value) ? undefined : `one of ${field.choices.join(', ')}`;
    case 'flag': return typeof value === 'boolean' ? undefined : 'true or false';
    case 'json': return undefined; // by whoever reads it
    default: {
      const unit = { count: '', span: ' of milliseconds', size: ' of bytes' }[field.kind];
      const fits = typeof value === 'number' && Number.isInteger(value) && value >= field.least && value <= field.most;
      return fits ? undefined : `a whole number${unit} from ${field.least} to ${field.most}`;
    }
  }
}

function isText(value: unknown, most: number): value is string {
  // It is told on every road.
  return typeof value === 'string' && value.length <= most && isWritable(value);
}
