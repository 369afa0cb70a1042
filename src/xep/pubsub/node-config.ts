// XEP-0060 1.30 §8.2, §16.4.4 (pubsub#node_config): a topic's settings as a form, and back. One table.
import type { TopicConfig, TopicSettings } from '../../api.ts';
import { parseJson } from '../../payload/json.ts';
import { Refusal } from '../../pubsub/refusal.ts';
import { TOPIC_FIELDS, type TopicField } from '../../topic-fields.ts';
import type { Element } from '../../xml/element.ts';
import { type Field, type FieldType, formElement, readBoolean, type Submission } from '../data-form.ts';

export const NODE_CONFIG = 'http://jabber.org/protocol/pubsub#node_config';
const PUBLISH_OPTIONS = 'http://jabber.org/protocol/pubsub#publish-options';

type Setting = keyof TopicConfig;

/** What a setting is called on the wire: the registered name, or one of ours (XEP-0068 §3.4). */
const NAMES: Readonly<Record<Setting, string>> = {
  title: 'pubsub#title',
  description: 'pubsub#description',
  type: 'pubsub#type',
  language: 'pubsub#language',
  contentType: '{urn:lanpost:0}content_type',
  tags: '{urn:lanpost:0}tags',
  schema: '{urn:lanpost:0}schema',
  accessModel: 'pubsub#access_model',
  rosterGroups: 'pubsub#roster_groups_allowed',
  publishModel: 'pubsub#publish_model',
  maxItems: 'pubsub#max_items',
  maxBytes: '{urn:lanpost:0}max_bytes',
  maxAge: '{urn:lanpost:0}max_age',
  full: 'pubsub#publish_node_full',
  itemExpire: 'pubsub#item_expire',
  lane: '{urn:lanpost:0}lane',
  key: '{urn:lanpost:0}key',
  storage: '{urn:lanpost:0}storage',
  maxPayload: 'pubsub#max_payload_size',
  persist: 'pubsub#persist_items',
  deliverNotifications: 'pubsub#deliver_notifications',
  deliverPayloads: 'pubsub#deliver_payloads',
  notifyConfig: 'pubsub#notify_config',
  notifyDelete: 'pubsub#notify_delete',
  notifyRetract: 'pubsub#notify_retract',
  notifySub: 'pubsub#notify_sub',
  notificationType: 'pubsub#notification_type',
  presenceBased: 'pubsub#presence_based_delivery',
  sendLast: 'pubsub#send_last_published_item',
  purgeOffline: 'pubsub#purge_offline',
  itemReply: 'pubsub#itemreply',
};

const SETTINGS: ReadonlyMap<string, Setting> = new Map(settings().map((setting) => [NAMES[setting], setting]));

/** Choices that the XEP writes otherwise; what else it has for the same stands after it. */
const CHOICES: Readonly<Record<string, readonly string[]>> = {
  'on-sub': ['on_sub'],
  'on-sub-and-presence': ['on_sub_and_presence'],
  'drop-oldest': ['retract-oldest', 'discard-oldest'],
};

/** What cannot be changed here: asking for anything else is refused rather than ignored, for it might give more rights, or lose items. */
const FIXED: Readonly<Record<string, readonly string[]>> = {
  'pubsub#node_type': ['leaf'],
  'pubsub#subscribe': ['1', 'true'],
  'pubsub#tempsub': ['0', 'false'],
};

/** `max`: no limit but the box's own. */
const MAX = 'max';

export function configForm(type: 'form' | 'result', config: TopicConfig): Element {
  const fields = settings().map((setting) => fieldOf(setting, config[setting]));
  return formElement(type, NODE_CONFIG, [{ name: 'pubsub#node_type', type: 'list-single', options: [{ value: 'leaf' }], values: ['leaf'] }, ...fields]);
}

function settings(): Setting[] {
  return Object.keys(NAMES).filter(isSetting);
}

function isSetting(name: string): name is Setting {
  return Object.hasOwn(TOPIC_FIELDS, name);
}

function fieldOf(setting: Setting, value: unknown): Field {
  const field = TOPIC_FIELDS[setting];
  const options = field.kind === 'choice' ? field.choices : field.kind === 'texts' ? field.of : undefined;
  return {
    name: NAMES[setting], type: typeOf(field), label: field.help,
    ...(options === undefined ? {} : { options: options.map((one) => ({ value: CHOICES[one]?.[0] ?? one })) }),
    values: value === undefined ? [] : valuesOf(field, value),
  };
}

function typeOf(field: TopicField): FieldType {
  switch (field.kind) {
    case 'choice': return 'list-single';
    case 'flag': return 'boolean';
    case 'texts': return field.of ? 'list-multi' : 'text-multi';
    default: return 'text-single';
  }
}

function valuesOf(field: TopicField, value: unknown): string[] {
  if (Array.isArray(value)) return value.map(String);
  switch (field.kind) {
    case 'choice': return [CHOICES[String(value)]?.[0] ?? String(value)];
    case 'flag': return [value === true ? '1' : '0'];
    case 'count': return [value === field.most ? MAX : String(value)];
    case 'span': return [String(Math.ceil(Number(value) / 1000))];
    case 'json': return [JSON.stringify(value)];
    default: return [String(value)];
  }
}

/** What was filled in of them; what nobody here knows is left alone, and what is not named stays as it is. */
export function readConfig({ about, values }: Submission): TopicSettings {
  if (about !== undefined && about !== NODE_CONFIG) throw new Refusal('invalid-config', `${about} is another form`);
  const change: Record<string, unknown> = {};
  for (const [name, all] of values) {
    const setting = SETTINGS.get(name);
    if (setting !== undefined) change[setting] = settingOf(setting, all);
    else checkFixed(name, all);
  }
  return change;
}

/** §7.1.5: every field is a condition; nobody can say of one that is not known whether it is met. */
export function readPreconditions({ about, values }: Submission): TopicSettings {
  if (about !== PUBLISH_OPTIONS) throw new Refusal('invalid-options', 'these are no publish-options');
  for (const name of values.keys()) {
    if (!SETTINGS.has(name) && !Object.hasOwn(FIXED, name)) throw new Refusal('precondition-not-met', `${name} is no setting of a topic`);
  }
  return readConfig({ cancelled: false, values });
}

function checkFixed(name: string, [value = '']: readonly string[]): void {
  if (Object.hasOwn(FIXED, name) && !FIXED[name]?.includes(value)) throw new Refusal('invalid-config', `${name} is always ${FIXED[name]?.[0]} here`);
}

function settingOf(setting: Setting, all: readonly string[]): unknown {
  const field = TOPIC_FIELDS[setting];
  const [value = ''] = all;
  switch (field.kind) {
    case 'texts': return all.filter((one) => one !== '');
    case 'flag': {
      const flag = readBoolean(value);
      if (flag === undefined) throw new Refusal('invalid-config', `${NAMES[setting]} is 0 or 1`);
      return flag;
    }
    case 'choice': return choiceOf(setting, field.choices, value);
    case 'count':
    case 'size':
    case 'span': return numberOf(setting, field, value);
    case 'json': return value === '' ? null : parsed(setting, value);
    default: return value;
  }
}

function choiceOf(setting: Setting, choices: readonly string[], value: string): string {
  const choice = value === '' ? '' : choices.find((one) => (CHOICES[one] ?? [one]).includes(value));
  if (choice !== undefined) return choice;
  throw new Refusal(setting === 'accessModel' ? 'unsupported-access-model' : 'invalid-config', `${NAMES[setting]} is not "${value.slice(0, 80)}" here`);
}

function numberOf(setting: Setting, field: TopicField & { kind: 'count' | 'size' | 'span' }, value: string): number {
  if (value === MAX) return field.most;
  if (!/^\d{0,15}$/.test(value)) throw new Refusal('invalid-config', `${NAMES[setting]} is a whole number, or max`);
  return Number(value) * (field.kind === 'span' ? 1000 : 1);
}

function parsed(setting: Setting, text: string): unknown {
  try {
    return parseJson(text);
  } catch (cause) {
    throw new Refusal('invalid-config', `${NAMES[setting]} is no JSON: ${cause instanceof Error ? cause.message : String(cause)}`);
  }
}
