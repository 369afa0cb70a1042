// Topics whose items are in memory only: what is refused, because it would promise more.
import type { TopicConfig } from '../api.ts';
import { LanpostError } from '../errors.ts';
import type { Log } from '../log/log.ts';
import type { TopicState } from '../log/topics.ts';
import { readerName } from './reader-name.ts';
import { Refusal } from './refusal.ts';

export function isInMemory(topic: TopicState | undefined): boolean {
  return topic !== undefined && !topic.deleted && topic.settings['storage'] === 'memory';
}

/** Nothing of it waits for a reader that is away. */
export function checkedDurable(filter: string, topic: TopicState | undefined): void {
  if (isInMemory(topic)) throw new LanpostError('unsupported', `${filter} is in memory only, and keeps nothing for a durable reader: read it without a name`);
}

/** Where its items are was promised to whoever published them, and to whoever reads. */
export function checkedStorage(topic: string, before: TopicConfig, after: TopicConfig): TopicConfig {
  if (after.storage === before.storage) return after;
  throw new Refusal('invalid-config', `topic setting "storage" is decided when a topic is made, and ${topic} is ${before.storage === 'memory' ? 'in memory' : 'on disk'}: delete it and make it anew`);
}

/** Whoever reads just that topic, durably, would wait for ever. */
export function checkedUnread(log: Pick<Log, 'cursors'>, topic: string): void {
  for (const { name, filter } of log.cursors()) {
    if (filter === topic) throw new LanpostError('conflict', `the durable subscription "${readerName(name)}" reads ${topic}, which would keep nothing for it in memory: drop it first`);
  }
}
