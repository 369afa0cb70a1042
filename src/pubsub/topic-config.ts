import type { TopicConfig } from '../api.ts';
import { LanpostError } from '../errors.ts';

/** One setting of a topic. */
interface Field {
  /** What a value of it is, in words; for the error when it is not. */
  readonly is: string;
  readonly fits: (value: unknown) => boolean;
}

const text = (most: number, pattern?: RegExp): Field => ({
  is: `text of at most ${most} characters${pattern ? ` that matches ${String(pattern)}` : ''}`,
  fits: (value) => typeof value === 'string' && value.length <= most && (pattern?.test(value) ?? true),
});

const texts = (most: number, { fits, is }: Field): Field => ({
  is: `a list of at most ${most}, each ${is}`,
  fits: (value) => Array.isArray(value) && value.length <= most && new Set(value).size === value.length && value.every((one) => one !== '' && fits(one)),
});

const oneOf = (...values: readonly string[]): Field => ({
  is: `one of ${values.join(', ')}`,
  fits: (value) => values.some((one) => one === value),
});

const flag: Field = { is: 'true or false', fits: (value) => typeof value === 'boolean' };

const whole = (most: number): Field => ({
  is: `a whole number from 1 to ${most}`,
  fits: (value) => Number.isInteger(value) && Number(value) >= 1 && Number(value) <= most,
});

/** The most items that a view may name; the disk bounds it long before. */
const MAX_ITEMS = 2 ** 31;
/** The most bytes of an item that a topic may name; the box's own limit bounds it long before. */
const MAX_BYTES = 2 ** 31;
const TAGS = 32;

/** RFC 5646, loosely; RFC 6838 §4.2. */
const LANGUAGE = /^[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*$/;
const MEDIA_TYPE = /^[\w!#$&^.+-]+\/[\w!#$&^.+-]+$/;

/** Every setting of a topic, and what it may be. */
export const TOPIC_FIELDS: Readonly<Record<keyof TopicConfig, Field>> = {
  title: text(1024),
  description: text(1024),
  type: text(1024),
  language: text(64, LANGUAGE),
  contentType: text(255, MEDIA_TYPE),
  tags: texts(TAGS, text(64)),
  accessModel: oneOf('open', 'presence', 'roster', 'authorize', 'whitelist'),
  rosterGroups: texts(2, oneOf('class:seen', 'class:paired')),
  publishModel: oneOf('publishers', 'subscribers', 'open'),
  maxItems: whole(MAX_ITEMS),
  lane: oneOf('history', 'latest'),
  maxPayload: whole(MAX_BYTES),
  persist: flag,
  deliverNotifications: flag,
  deliverPayloads: flag,
  notifyConfig: flag,
  notifyDelete: flag,
  notifyRetract: flag,
  notifySub: flag,
  notificationType: oneOf('headline', 'normal'),
  presenceBased: flag,
  sendLast: oneOf('never', 'on-sub', 'on-sub-and-presence'),
  purgeOffline: flag,
  itemReply: oneOf('owner', 'publisher'),
};

type Name = keyof TopicConfig;

export function isField(name: string): name is Name {
  return Object.hasOwn(TOPIC_FIELDS, name);
}

/** Least right by default: only the owner, and peers with a grant, read or publish; and nothing is lost. What is not here is not set unless somebody does. */
export const DEFAULT_CONFIG: TopicConfig = {
  tags: [],
  accessModel: 'whitelist',
  rosterGroups: [],
  publishModel: 'publishers',
  maxItems: 1000,
  lane: 'history',
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
};

/** The configuration that `change` makes of `before`, with every field checked. */
export function configured(before: TopicConfig, change: Partial<TopicConfig>): TopicConfig {
  if (typeof change !== 'object' || change === null) throw new TypeError('a topic configuration must be an object');
  const said = Object.entries(change).filter(([, value]) => value !== undefined);
  const after = { ...before, ...Object.fromEntries(said) };
  for (const [name, value] of said) {
    if (!isField(name)) throw new LanpostError('invalid-value', `topic setting "${name}" is not known`);
    // What has no default is taken back by what is empty: JSON has no undefined.
    if (!Object.hasOwn(DEFAULT_CONFIG, name) && (value === '' || value === 0)) Reflect.deleteProperty(after, name);
    else if (!TOPIC_FIELDS[name].fits(value)) throw new LanpostError('invalid-value', `topic setting "${name}" must be ${TOPIC_FIELDS[name].is}`);
  }
  return after;
}
