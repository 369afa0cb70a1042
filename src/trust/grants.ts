import type { Grant, Right } from '../api.ts';
import { LanpostError } from '../errors.ts';
import { validFilter } from '../log/filter.ts';
import { formatRelayTarget, parseRelayTarget } from './relay-target.ts';

/** What a right is one to, and so has a filter of. */
const RIGHTS: Readonly<Record<Right, 'topics' | 'server' | 'commands' | 'devices' | undefined>> = { chat: undefined, read: 'topics', write: 'topics', files: undefined, relay: 'server', command: 'commands', device: 'devices' };

function isRight(value: unknown): value is Right {
  return typeof value === 'string' && Object.hasOwn(RIGHTS, value);
}

/** A grant that could never match would be taken for one that does. */
export function checkedGrant(right: unknown, filter: unknown): Grant {
  if (!isRight(right)) throw new TypeError('a right is chat, read, write, files, relay, command or device');
  if (RIGHTS[right] === undefined) {
    if (filter !== undefined) throw new TypeError(`${right} has no filter`);
    return { right };
  }
  if (typeof filter !== 'string') throw new TypeError('a filter must be a string');
  if (RIGHTS[right] === 'server') return { right, filter: formatRelayTarget(parseRelayTarget(filter)) };
  if (!validFilter(filter)) throw new LanpostError('invalid-topic', `${JSON.stringify(filter.slice(0, 80))} is not a filter: + stands for one whole level, # for all that follow, at the end`);
  return { right, filter };
}

/** One as `checkedGrant` gives it: what is kept may have been written by another version, or imported. */
export function isGrant(value: unknown): value is Grant {
  if (typeof value !== 'object' || value === null) return false;
  const { right, filter, ...others }: { readonly right?: unknown; readonly filter?: unknown } = value;
  try {
    return checkedGrant(right, filter).filter === filter && Object.keys(others).length === 0;
  } catch {
    return false; // it says what is wrong with it, and nobody here could mend that
  }
}

export function isSame(a: Grant, b: Grant): boolean {
  return a.right === b.right && a.filter === b.filter;
}

/**
 * Whether everything that `asked` (a topic or a filter) can match is matched by `granted` too.
 * A leading wildcard never reaches `$…`: those topics must be granted by name.
 */
export function covers(granted: string, asked: string): boolean {
  // Most grants are to one topic, or to all there are.
  if (granted === asked) return true;
  if (granted === '#') return !asked.startsWith('$');
  if (areApart(granted, asked)) return false;
  const have = granted.split('/');
  const want = asked.split('/');
  const reserved = asked.startsWith('$');
  for (const [i, level] of have.entries()) {
    const other = want[i];
    if (level === '#') return true;
    if (other === undefined || other === '#') return false;
    if (level === '+' ? i === 0 && reserved : level !== other) return false;
  }
  return have.length === want.length;
}

/** Whether some topic is matched by both. */
export function overlaps(one: string, other: string): boolean {
  if (areApart(one, other)) return false;
  const [a, b] = [one.split('/'), other.split('/')];
  for (let i = 0; i < Math.max(a.length, b.length); i += 1) {
    const [mine, theirs] = [a[i], b[i]];
    // `x/#` matches `x` itself too.
    if (mine === '#' || theirs === '#') return true;
    if (mine === undefined || theirs === undefined) return false;
    if (mine !== '+' && theirs !== '+' && mine !== theirs) return false;
  }
  return true;
}

const [SLASH, PLUS, HASH] = ['/', '+', '#'].map((character) => character.charCodeAt(0));

/**
 * Whether they part at a level that is a wildcard in neither, which most do: this is asked for each grant there is, of
 * each topic there is, and makes nothing.
 */
function areApart(one: string, other: string): boolean {
  let level = 0;
  const end = Math.min(one.length, other.length);
  for (let at = 0; at < end; at += 1) {
    const character = one.charCodeAt(at);
    if (character !== other.charCodeAt(at)) return !isWildcard(one, level) && !isWildcard(other, level);
    if (character === SLASH) level = at + 1;
  }
  // One goes on where the other ends: with another level, or with more of the same.
  const longer = one.length > end ? one : other;
  return longer.length > end && end > level && longer.charCodeAt(end) !== SLASH && !isWildcard(longer, level);
}

function isWildcard(filter: string, at: number): boolean {
  const character = filter.charCodeAt(at);
  return character === PLUS || character === HASH;
}
