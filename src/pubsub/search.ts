import type { TopicInfo, TopicQuery } from '../api.ts';
import { LanpostError } from '../errors.ts';
import { checkedObject, checkedOptional } from '../given.ts';
import { essenceOf } from '../payload/payload.ts';

const MOST_FOUND = 1000;
const USUAL = 100;
const LONGEST = 1024;

type Test = (topic: TopicInfo) => boolean;

/** What the query wants, checked. */
export interface Search {
  readonly filter: string;
  readonly limit: number;
  readonly fits: Test;
  /** Whether it is found by what it is called, and not only by what is said of it. */
  readonly byName: Test;
}

export function searchOf(query: TopicQuery): Search {
  checkedObject('a query', query);
  const { filter = '#', text, type, contentType, tags, limit: _, ...others } = query;
  const [unknown] = Object.keys(others);
  // To pass it over would find more than was asked for.
  if (unknown !== undefined) throw new LanpostError('invalid-value', `topics are searched by text, type, contentType, tags, filter and limit, and not by ${unknown}`);
  const limit = checkedLimit(query.limit);
  for (const [name, value] of Object.entries({ text, type, contentType })) if (value !== undefined) checkText(name, value);
  const words = (text ?? '').toLowerCase().split(/\s+/).filter(Boolean);
  const wanted = tagsOf(tags);
  return {
    filter, limit,
    fits: (topic) => (type === undefined || topic.type === type)
      && (contentType === undefined || isOf(topic.contentType, contentType))
      && hasAll(topic.tags.map((tag) => tag.toLowerCase()), wanted)
      && holds([topic.name, topic.title, topic.description, ...topic.tags], words),
    byName: (topic) => holds([topic.name, topic.title], words),
  };
}

export function checkedLimit(limit: number = USUAL): number {
  checkedOptional('the limit', limit, 'number');
  if (Number.isInteger(limit) && limit >= 1 && limit <= MOST_FOUND) return limit;
  throw new LanpostError('invalid-value', `the limit must be a whole number from 1 to ${MOST_FOUND}`);
}

/** As they are compared. */
export function tagsOf(tags: readonly string[] = []): string[] {
  if (!Array.isArray(tags)) throw new TypeError('tags must be a list of texts');
  for (const tag of tags) checkText('tag', tag);
  return tags.map((tag: string) => tag.toLowerCase());
}

function checkText(name: string, value: unknown): void {
  if (typeof value !== 'string') throw new TypeError(`${name} must be text`);
  if (value.length > LONGEST) throw new LanpostError('invalid-value', `${name} has at most ${LONGEST} characters`);
}

function hasAll(tags: readonly string[], wanted: readonly string[]): boolean {
  return wanted.every((tag) => tags.includes(tag));
}

function holds(texts: readonly (string | undefined)[], words: readonly string[]): boolean {
  const all = texts.filter((text) => text !== undefined).join('\n').toLowerCase();
  return words.every((word) => all.includes(word));
}

/** `image/*` is every image. */
function isOf(declared: string | undefined, wanted: string): boolean {
  if (declared === undefined) return false;
  const [essence, asked] = [essenceOf(declared), essenceOf(wanted)];
  return asked.endsWith('/*') ? essence.startsWith(asked.slice(0, -1)) : essence === asked;
}
