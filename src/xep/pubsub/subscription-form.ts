// XEP-0060 1.30 §6.3, §16.4.2: the options of a subscription as a form, and back.
import { Refusal } from '../../pubsub/refusal.ts';
import { KINDS, SHOWS, type SubscriptionOptions } from '../../pubsub/subscription-options.ts';
import { isSubtree } from '../../pubsub/subtree.ts';
import type { Element } from '../../xml/element.ts';
import { type Field, formElement, readBoolean, type Submission } from '../data-form.ts';

export const SUBSCRIBE_OPTIONS = 'http://jabber.org/protocol/pubsub#subscribe_options';

export function optionsForm(type: 'form' | 'result', node: string, options: SubscriptionOptions): Element {
  return formElement(type, SUBSCRIBE_OPTIONS, fields(node, options));
}

function fields(node: string, { deliver, includeBody, show, expire, kind, depth }: SubscriptionOptions): Field[] {
  const common: Field[] = [
    { name: 'pubsub#deliver', type: 'boolean', label: 'Whether notifications are sent', values: [flag(deliver)] },
    { name: 'pubsub#include_body', type: 'boolean', label: 'Whether text for people goes with them', values: [flag(includeBody)] },
    {
      name: 'pubsub#show-values', type: 'list-multi', label: 'The presence in which they are wanted',
      options: SHOWS.map((value) => ({ value })), values: show,
    },
    {
      name: 'pubsub#expire', type: 'text-single', label: 'When it ends: a time, or "presence"',
      values: expire === undefined ? [] : [expire === 'presence' ? expire : new Date(expire).toISOString()],
    },
  ];
  if (!isSubtree(node)) return common;
  // XEP-0248 §6.1
  return [
    ...common,
    { name: 'pubsub#subscription_type', type: 'list-single', label: 'What is told of the collection', options: KINDS.map((value) => ({ value })), values: [kind] },
    { name: 'pubsub#subscription_depth', type: 'list-single', label: 'How deep', options: ['1', 'all'].map((value) => ({ value })), values: [String(depth)] },
  ];
}

/** What was filled in of them: fields that are not named stay as they are, and those nobody here knows are left alone. */
export function readOptions({ about, values }: Submission, node: string): Partial<SubscriptionOptions> {
  if (about !== undefined && about !== SUBSCRIBE_OPTIONS) throw new Refusal('invalid-options', `${about} is another form`);
  const change: { -readonly [K in keyof SubscriptionOptions]?: SubscriptionOptions[K] } = {};
  for (const [name, all] of values) {
    const [value = ''] = all;
    switch (name) {
      case 'pubsub#deliver': change.deliver = truth(name, value); break;
      case 'pubsub#include_body': change.includeBody = truth(name, value); break;
      case 'pubsub#digest': if (truth(name, value)) throw new Refusal('invalid-options', 'there are no digests here: every notification is one'); break;
      case 'pubsub#show-values': change.show = all.map((one) => oneOf(name, one, SHOWS)); break;
      case 'pubsub#expire': if (value !== '') change.expire = value === 'presence' ? value : time(value); break;
      case 'pubsub#subscription_type': if (isSubtree(node)) change.kind = oneOf(name, value, KINDS); break;
      case 'pubsub#subscription_depth': if (isSubtree(node)) change.depth = value === 'all' ? value : Number(value); break;
    }
  }
  return change;
}

function flag(value: boolean): string {
  return value ? '1' : '0';
}

function truth(name: string, text: string): boolean {
  const value = readBoolean(text);
  if (value === undefined) throw new Refusal('invalid-options', `${name} is 0 or 1`);
  return value;
}

function oneOf<T extends string>(name: string, text: string, known: readonly T[]): T {
  const value = known.find((one) => one === text);
  if (value === undefined) throw new Refusal('invalid-options', `${name} is one of ${known.join(', ')}`);
  return value;
}

/** XEP-0082 §3.2 */
function time(text: string): number {
  const value = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(value)) throw new Refusal('invalid-options', 'pubsub#expire is a time like 2026-12-31T23:59:59Z, or "presence"');
  return value;
}
