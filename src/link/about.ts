// XEP-0174 §13.4: what a person may let the link know. Checked before any of it is kept or published.
import type { About } from '../api.ts';
import { LanpostError } from '../errors.ts';

const TEXTS = ['first', 'last', 'nick'] as const;
const LISTS = ['email', 'jid'] as const;
const KNOWN: ReadonlySet<string> = new Set([...TEXTS, ...LISTS, 'personal']);
/** RFC 6763 §6.1: a key, `=` and its value are 255 bytes; the longest of these keys has 5. */
const VALUE_BYTES = 249;

/** What is wrong with it is said with `where` it was given. */
export function checkedAbout(about: unknown, where: string): About {
  if (typeof about !== 'object' || about === null || Array.isArray(about)) throw new TypeError(`${where} must be an object`);
  const values = Object.entries(about).filter(([, value]) => value !== undefined);
  for (const [key] of values) if (!KNOWN.has(key)) throw new TypeError(`${where} has no member "${key}"`);
  for (const [key, value] of values) checkMember(`${where}.${key}`, key, value);
  return Object.fromEntries(values);
}

/** `changes` over `about`; what is empty is taken back. */
export function changedAbout(about: About, changes: About): About {
  const all = { ...about, ...changes };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== '' && !(Array.isArray(value) && value.length === 0)));
}

function checkMember(where: string, key: string, value: unknown): void {
  if (key === 'personal') {
    if (typeof value !== 'boolean') throw new TypeError(`${where} must be true or false`);
    return;
  }
  const list = LISTS.some((one) => one === key);
  const texts: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (list !== Array.isArray(value) || !texts.every((text): text is string => typeof text === 'string')) throw new TypeError(`${where} must be a ${list ? 'list of strings' : 'string'}`);
  const text = texts.join(' ');
  if (/\p{Cc}/u.test(text)) throw new LanpostError('invalid-value', `${where} must have no control characters`);
  // XEP-0174 §15.1: a list of addresses is parted by spaces, so none may hold one.
  if (list && !texts.every((one) => /^[^\s@]+@[^\s@]+$/u.test(one))) throw new LanpostError('invalid-value', `${where} must be addresses as in name@example.org`);
  if (Buffer.byteLength(text) > VALUE_BYTES) throw new LanpostError('too-large', `${where} must have at most ${VALUE_BYTES} bytes`);
}
