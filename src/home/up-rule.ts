// Which topics go up to a home, and how: what the owner says, checked, and the one rule that a topic belongs to.
import type { UpRule } from '../api.ts';
import { LanpostError } from '../errors.ts';
import { matcher, validFilter } from '../log/filter.ts';
import { isSayable } from '../sayable.ts';

export interface Pack {
  readonly records: number;
  /** Of the records as XML. */
  readonly bytes: number;
}

export interface Rule {
  readonly filter: string;
  readonly node: string;
  /** Whether what is live may go before a backlog of its topic. */
  readonly order: 'kept' | 'any';
  readonly priority: number;
  readonly expire: number;
  readonly pack: Pack | undefined;
  readonly matches: (topic: string) => boolean;
}

export const PACK: Pack = { records: 500, bytes: 65_536 };
/** With what stands around it an item must stay below what servers take as one stanza (200 kB). */
export const MAX_PACK: Pack = { records: 2_000, bytes: 180_000 };
const MAX_NODE = 512;
const KEYS = new Set(['filter', 'node', 'order', 'priority', 'expire', 'pack']);

function whole(value: unknown, name: string, least: number, most: number): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < least || value > most) throw new TypeError(`home up ${name} must be a whole number from ${least} to ${most}`);
  return value;
}

function toPack(pack: UpRule['pack']): Pack | undefined {
  if (pack === undefined || pack === false) return undefined;
  if (pack === true) return PACK;
  if (typeof pack !== 'object' || pack === null) throw new TypeError('home up pack must be true, false, or records and bytes');
  const { records = PACK.records, bytes = PACK.bytes } = pack;
  return { records: whole(records, 'pack.records', 2, MAX_PACK.records), bytes: whole(bytes, 'pack.bytes', 1_024, MAX_PACK.bytes) };
}

/** Throws TypeError for wrong types, LanpostError for what cannot be. */
export function toRule(given: UpRule): Rule {
  if (typeof given !== 'object' || given === null) throw new TypeError('home up must be a list of rules');
  for (const key of Object.keys(given)) if (!KEYS.has(key)) throw new TypeError(`unknown key of a rule in home up: ${key}`);
  const { filter, node = '{topic}', order = 'kept', priority = 0, expire, pack } = given;
  if (typeof filter !== 'string') throw new TypeError('a rule in home up must have a filter');
  if (!validFilter(filter)) throw new LanpostError('invalid-topic', `Not a topic or filter: ${JSON.stringify(filter)}.`);
  if (typeof node !== 'string' || node === '' || node.length > MAX_NODE) throw new TypeError(`home up node must be a name of 1 to ${MAX_NODE} characters`);
  if (!isSayable(node)) throw new LanpostError('invalid-value', 'A node\'s name has no control characters, and none that XML has not.');
  if (order !== 'kept' && order !== 'any') throw new TypeError('home up order must be kept or any');
  const unknown = /\{(?!topic\}|box\})[^{}]*\}/.exec(node);
  if (unknown) throw new LanpostError('invalid-value', `A node's name may have {topic} and {box}, not ${unknown[0]}.`);
  return {
    filter, node, order, priority: whole(priority, 'priority', -9, 9), pack: toPack(pack), matches: matcher(filter),
    expire: expire === undefined ? Infinity : whole(expire, 'expire', 1_000, Number.MAX_SAFE_INTEGER),
  };
}

/** The home's node of a topic. */
export function nodeOf(rule: Rule, topic: string, box: string): string {
  return rule.node.replace(/\{(topic|box)\}/g, (_, what) => (what === 'topic' ? topic : box));
}
