// What the owner says about a home, checked at the door and kept in the log's registry.
import { isDeepStrictEqual } from 'node:util';
import type { HomeOptions, UpRule } from '../api.ts';
import { LanpostError } from '../errors.ts';
import type { Registry } from '../log/registry.ts';
import { bare, isBareJid, parseJid, type Jid } from '../xmpp/jid.ts';
import { toRule, type Rule } from './up-rule.ts';
import { checkedDownRules, type CheckedDownRule } from './down/rule.ts';
import { CONNECTING, type Connecting, text, toConnecting } from './connecting.ts';

export interface Account extends Connecting {
  /** Bare, normalised. */
  readonly jid: string;
  readonly address: Jid;
  readonly password: string;
  readonly service: string;
  /** The owner left open which: where that is of no use, the account's own (PEP) takes its place. */
  readonly open: boolean;
  readonly topics: readonly string[];
  readonly up: readonly UpRule[] | undefined;
  /** Of `up` and `topics`, one for each filter; the first that matches has a topic. */
  readonly rules: readonly Rule[];
  readonly budget: number | undefined;
  readonly down: readonly CheckedDownRule[];
}

const KEYS = new Set(['jid', 'password', ...CONNECTING, 'service', 'topics', 'up', 'budget', 'down']);
const MAX_RULES = 64;
/** So that one item of any size gets through within some hours. */
const MIN_BUDGET = 10_000;

/** Throws TypeError for wrong types, LanpostError for what cannot be. */
export function toAccount(options: Partial<HomeOptions>): Account {
  if (typeof options !== 'object' || options === null) throw new TypeError('home options must be an object');
  for (const key of Object.keys(options)) if (!KEYS.has(key)) throw new TypeError(`unknown home option ${key}`);
  const given = text(options.jid, 'jid');
  const address = parseJid(given);
  const jid = bare(given);
  if (!address || jid === undefined || !isBareJid(given)) throw new LanpostError('invalid-value', `Not an account: ${JSON.stringify(given)}. Give it as name@domain.`);
  const { topics = [], up, budget } = options;
  const service = options.service === 'pep' ? jid : options.service;
  const connecting = toConnecting(options);
  if (service !== undefined && !parseJid(text(service, 'service'))) throw new LanpostError('invalid-value', `Not an address: ${JSON.stringify(service)}.`);
  if (!Array.isArray(topics) || topics.some((filter) => typeof filter !== 'string')) throw new TypeError('home topics must be a list of filters');
  if (up !== undefined && !Array.isArray(up)) throw new TypeError('home up must be a list of rules');
  if (budget !== undefined && (!Number.isSafeInteger(budget) || budget < MIN_BUDGET)) throw new TypeError(`home budget must be a number of bytes, at least ${MIN_BUDGET}`);
  return {
    jid, address, password: text(options.password, 'password'), ...connecting,
    service: service ?? `pubsub.${address.domain}`, open: service === undefined,
    topics: [...new Set(topics)], up, rules: toRules(up ?? [], topics), budget,
    down: checkedDownRules(options.down, service ?? `pubsub.${address.domain}`),
  };
}

/** All defaults, so their order says nothing; sorted, they are the same however they were given. */
function toRules(up: readonly UpRule[], topics: readonly string[]): Rule[] {
  const rules = new Map<string, Rule>();
  for (const given of [...up, ...topics.toSorted().map((filter) => ({ filter }))]) {
    const rule = toRule(given);
    if (!rules.has(rule.filter)) rules.set(rule.filter, rule);
  }
  if (rules.size > MAX_RULES) throw new LanpostError('too-large', `A home takes at most ${MAX_RULES} filters.`);
  return [...rules.values()];
}

/** Whether the owner says the same of both; what goes up may be told as `topics` or as `up`. */
export function isSame(a: Account, b: Account): boolean {
  return isDeepStrictEqual(withoutRules(a), withoutRules(b)) && goesUpAlike(a, b);
}

/** Whether the server is asked for the same by the same way: what it said of one it would say of the other. */
export function logsInAlike(a: Account, b: Account): boolean {
  return a.jid === b.jid && a.password === b.password && CONNECTING.every((key) => key === 'group' || key === 'rank' || isDeepStrictEqual(a[key], b[key]));
}

export function goesUpAlike(a: Pick<Account, 'rules'>, b: Pick<Account, 'rules'>): boolean {
  return isDeepStrictEqual(a.rules.map(asData), b.rules.map(asData));
}

const withoutRules = ({ topics: _topics, up: _up, rules: _rules, ...rest }: Account): object => rest;
const asData = ({ matches: _matches, ...rule }: Rule): object => rule;

const PREFIX = 'home:';

export const keyOf = (jid: string): string => PREFIX + jid;

/** Filter → number of the cursor that reads it, where that is not 0. */
export type CursorNumbers = Readonly<Record<string, number>>;

/** At once: homes of a group must not come to read by different rules. `more` goes with it. */
export async function saveAccounts(registry: Registry, accounts: readonly Account[], cursors: CursorNumbers = {}, more: readonly (readonly [key: string, value: unknown])[] = []): Promise<void> {
  await registry.setAll([...more, ...accounts.map(({ address: _address, rules: _rules, open, ...kept }) => {
    const row: Record<string, unknown> = { ...kept, service: open ? undefined : kept.service, cursors };
    for (const key of Object.keys(row)) if (row[key] === undefined) delete row[key];
    return [keyOf(kept.jid), row] as const;
  })]);
}

/** In one row with the account: the rules are those that these cursors read. */
export function cursorNumbers(registry: Registry, jid: string): CursorNumbers {
  const row = registry.get(keyOf(jid));
  const cursors = typeof row === 'object' && row !== null && 'cursors' in row ? row.cursors : undefined;
  return typeof cursors === 'object' && cursors !== null ? Object.fromEntries(Object.entries(cursors).map(([filter, number]) => [filter, Number(number)])) : {};
}

export async function forgetAccount(registry: Registry, jid: string): Promise<void> {
  await registry.set(keyOf(jid), undefined);
}

/** Every home that was ever added and not removed. `unreadable`: what becomes of one that this version does not take; by default it throws. */
export function loadAccounts(registry: Registry, unreadable: (jid: string, error: unknown) => void = (_jid, error) => { throw error; }): Account[] {
  // The rows are our own, but an older or newer version may have written them: they are checked like any other.
  return registry.entries(PREFIX).flatMap(([key, row]) => {
    const options = new Map(Object.entries(typeof row === 'object' && row !== null ? row : {}));
    options.delete('cursors');
    try {
      return [toAccount(Object.fromEntries(options))];
    } catch (error) {
      unreadable(key.slice(PREFIX.length), error);
      return [];
    }
  });
}
