// Which nodes of a home come down, and which topics they are here.
import type { DownRule } from '../../api.ts';
import { LanpostError } from '../../errors.ts';
import { hasWildcard, matches, validFilter, validTopic } from '../../log/filter.ts';
import { isLegal } from '../../xmpp/element.ts';
import { full } from '../../xmpp/jid.ts';
import { isSayable } from '../../sayable.ts';

/** A rule with its defaults. */
export type CheckedDownRule = Required<DownRule>;

const KEYS = new Set(['node', 'service', 'as', 'from']);
const MAX_RULES = 64;
/** Stands for the node's name. */
const NODE = '{node}';

/** Throws TypeError for wrong types, LanpostError for what cannot be. */
export function checkedDownRules(given: readonly DownRule[] | undefined, service: string): CheckedDownRule[] {
  if (given === undefined) return [];
  if (!Array.isArray(given)) throw new TypeError('home down must be a list of rules');
  if (given.length > MAX_RULES) throw new LanpostError('too-large', `A home takes at most ${MAX_RULES} rules for what comes down.`);
  return given.map((rule: DownRule) => checkedRule(rule, service));
}

function text(value: unknown, name: string): string {
  if (typeof value !== 'string' || value === '') throw new TypeError(`${name} of a rule for what comes down must be a non-empty string`);
  return value;
}

function checkedRule(rule: DownRule, home: string): CheckedDownRule {
  if (typeof rule !== 'object' || rule === null) throw new TypeError('a rule for what comes down must be an object');
  for (const key of Object.keys(rule)) if (!KEYS.has(key)) throw new TypeError(`unknown field ${key} of a rule for what comes down`);
  const [node, as, from = 'start'] = [text(rule.node, 'node'), text(rule.as ?? NODE, 'as'), rule.from];
  const service = full(text(rule.service ?? home, 'service'));
  if (hasWildcard(node) && !validFilter(node)) throw new LanpostError('invalid-topic', `Not a node or filter: ${JSON.stringify(node)}.`);
  // The request for it would end the stream, of each session.
  if (!isLegal(node)) throw new LanpostError('invalid-value', `A node's name has no characters that XML cannot hold: ${JSON.stringify(node)}.`);
  if (service === undefined) throw new LanpostError('invalid-value', `Not an address: ${JSON.stringify(rule.service)}.`);
  if (from !== 'start' && from !== 'new') throw new LanpostError('invalid-value', 'What comes down begins at "start" or with what is "new".');
  // With wildcards each node needs a topic of its own; without, the rule says which it is.
  if (hasWildcard(node) ? !as.includes(NODE) || !isOwnTopic(as.replaceAll(NODE, 'x')) : !isOwnTopic(topicOf({ as }, node))) {
    throw new LanpostError('invalid-topic', `What comes down from ${node} cannot be ${JSON.stringify(as)} here: ${NODE} stands for the node's name, and the whole must be a topic.`);
  }
  return { node, service, as, from };
}

export function topicOf({ as }: Pick<CheckedDownRule, 'as'>, node: string): string {
  return as.replaceAll(NODE, () => node);
}

/** What begins with $ is the box's alone. */
export function isOwnTopic(topic: string): boolean {
  return validTopic(topic) && !topic.startsWith('$') && isSayable(topic);
}

/** The first that fits. */
export function ruleFor(rules: readonly CheckedDownRule[], service: string, node: string): CheckedDownRule | undefined {
  return rules.find((rule) => rule.service === service && (rule.node === node || (hasWildcard(rule.node) && matches(rule.node, node))));
}
