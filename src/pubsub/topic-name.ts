import type { TopicSettings } from '../api.ts';
import { LanpostError } from '../errors.ts';
import { validFilter, validTopic } from '../log/filter.ts';
import type { Actor } from './actor.ts';
import { isMirror, isMirrorSettings } from './mirror.ts';
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

/** What lies there has a form that its room reads, and is for that room to end: what anyone else put there or took away would be mail, or what is known of it, gone without a word. */
export function checkedNotReserved(actor: Actor, topic: string): void {
  if (actor.kind === 'owner' && isPersonal(topic)) return;
  if (topic.startsWith('$')) throw reserved(topic);
}

/** Of a copy of a peer's topic the owner may take away what is there. */
export function checkedMayEmpty(actor: Actor, topic: string): void {
  if (actor.kind === 'owner' && isMirror(topic)) return;
  checkedNotReserved(actor, topic);
}

/** And say how much of it there may be. */
export function checkedMaySet(actor: Actor, topic: string, settings: TopicSettings): void {
  if (actor.kind === 'owner' && isMirror(topic)) {
    if (isMirrorSettings(settings)) return;
    throw new LanpostError('invalid-value', `${JSON.stringify(topic.slice(0, 80))} is a copy of a peer's topic: only its maxItems, maxBytes and maxAge can be set here`);
  }
  checkedNotReserved(actor, topic);
}

function reserved(topic: string): LanpostError {
  return new LanpostError('invalid-topic', `${JSON.stringify(topic.slice(0, 80))} is reserved: topics that begin with $ are written by the box alone`);
}

export function checkedFilter(filter: string): void {
  if (typeof filter !== 'string') throw new TypeError('a filter must be a string');
  if (!validFilter(filter)) throw new LanpostError('invalid-topic', `${JSON.stringify(filter.slice(0, 80))} is not a filter: + stands for one whole level, # for all that follow, at the end`);
}
