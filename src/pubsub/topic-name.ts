import { LanpostError } from '../errors.ts';
import { validFilter, validTopic } from '../log/filter.ts';
import type { Actor } from './actor.ts';
import { isPersonal } from './personal.ts';

/** The log takes 512 bytes and 32 levels; a box that mirrors a topic puts `$at/<box id>/` before its name. */
const TOPIC_BYTES = 480;
const TOPIC_LEVELS = 30;

export function checkedTopic(topic: string): void {
  if (typeof topic !== 'string') throw new TypeError('a topic must be a string');
  if (!topic.startsWith('$') && (Buffer.byteLength(topic) > TOPIC_BYTES || topic.split('/').length > TOPIC_LEVELS)) {
    throw new LanpostError('invalid-topic', `a topic name has at most ${TOPIC_BYTES} bytes and ${TOPIC_LEVELS} levels`);
  }
  // No road could say its name: XML has no such characters.
  if (/[\uFFFE\uFFFF]/.test(topic)) throw new LanpostError('invalid-topic', 'a topic name has no U+FFFE and no U+FFFF');
  if (!validTopic(topic)) throw new LanpostError('invalid-topic', `${JSON.stringify(topic.slice(0, 80))} is not a topic name: levels are separated by one /, and + and # stand only in filters`);
}

/** What lies there has a form that its room reads: an item of anyone else would stop the mail of an address. */
export function checkedNotReserved(actor: Actor, topic: string): void {
  if (actor.kind === 'owner' && isPersonal(topic)) return;
  if (topic.startsWith('$')) throw new LanpostError('invalid-topic', `${JSON.stringify(topic.slice(0, 80))} is reserved: topics that begin with $ are written by the box alone`);
}

export function checkedFilter(filter: string): void {
  if (typeof filter !== 'string') throw new TypeError('a filter must be a string');
  if (!validFilter(filter)) throw new LanpostError('invalid-topic', `${JSON.stringify(filter.slice(0, 80))} is not a filter: + stands for one whole level, # for all that follow, at the end`);
}
