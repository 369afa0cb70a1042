// What the owner has said of one key, or of one class of peers.
import type { Grant, Right } from '../api.ts';
import { LanpostError } from '../errors.ts';
import { covers, isGrant, isSame, overlaps } from './grants.ts';

/** Grants and denials of one key or class. */
const MOST = 256;

export interface Rules {
  grants: Grant[];
  denials: Grant[];
}

/** What was kept; of it, what can be a grant or a denial. */
export function toRules(kept: unknown): Rules | undefined {
  if (typeof kept !== 'object' || kept === null || !('grants' in kept && Array.isArray(kept.grants) && 'denials' in kept && Array.isArray(kept.denials))) return undefined;
  return { grants: kept.grants.filter(isGrant), denials: kept.denials.filter(isGrant) };
}

/** Has the row stored: durable when resolved; rejected: tried again. */
export type StoreRow = (key: string, row: () => unknown) => Promise<void>;

/** Takes back the opposite, word for word, and says this. */
export function say(rules: Rules, what: 'grants' | 'denials', grant: Grant): void {
  const opposite = what === 'grants' ? 'denials' : 'grants';
  const others = rules[what].filter(one => !isSame(one, grant));
  const opposed = rules[opposite].filter(one => !isSame(one, grant));
  if (others.length + opposed.length >= MOST) throw new LanpostError('too-large', `One key or class may hold ${MOST} grants and denials; use a wider filter.`);
  rules[what] = [...others, grant];
  rules[opposite] = opposed;
}

/**
 * Says it, and has it stored. A grant that could not be stored does not hold, for its owner is told that it was not given;
 * what it took back holds again. A denial holds all the same. `stored`: what is on disk.
 */
export async function sayAndStore(rules: Rules, what: 'grants' | 'denials', grant: Grant, stored: () => Pick<Rules, 'grants'> | undefined, store: () => Promise<void>): Promise<void> {
  const held = rules[what].some(one => isSame(one, grant));
  const { denials } = rules;
  say(rules, what, grant);
  const takenBack = denials.filter(one => !rules.denials.includes(one));
  try {
    await store();
  } catch (error) {
    // Something else may have been said meanwhile.
    if (what === 'grants' && rules.grants.some(one => isSame(one, grant))) {
      // Of two at once the second saw what the first had not stored yet.
      if (!held || !stored()?.grants.some(one => isSame(one, grant))) rules.grants = rules.grants.filter(one => one !== grant);
      rules.denials = [...takenBack.filter(one => !rules.denials.some(other => isSame(one, other))), ...rules.denials];
    }
    throw error;
  }
}

/** What is said of it; nothing is neither yes nor no. A denial of a part is one of the whole. */
export function verdict({ grants, denials }: Rules, right: Right, asked: string | undefined): boolean | undefined {
  if (denials.some(denial => denial.right === right && fits(denial, asked, overlaps))) return false;
  if (grants.some(grant => grant.right === right && fits(grant, asked, covers))) return true;
  return undefined;
}

/** Nothing was said. */
export const NOTHING: Rules = { grants: [], denials: [] };

/** Whether any grant is about something of the filter that no denial, of these or of `denials`, takes back whole. */
export function reaches(rules: Readonly<Record<'grants' | 'denials', readonly Grant[]>>, denials: readonly Grant[], right: Right, asked: string): boolean {
  const against = [...rules.denials, ...denials].filter(denial => denial.right === right);
  return rules.grants.some(({ right: granted, filter }) => granted === right && filter !== undefined && overlaps(filter, asked)
    && !against.some(denial => fits(denial, filter, covers) || fits(denial, asked, covers)));
}

function fits({ filter }: Grant, asked: string | undefined, match: (filter: string, asked: string) => boolean): boolean {
  return filter === undefined ? asked === undefined : asked !== undefined && match(filter, asked);
}
