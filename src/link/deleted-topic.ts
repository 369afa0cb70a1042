import { hasWildcard } from '../log/filter.ts';
import type { Log } from '../log/log.ts';
import type { Actor } from '../pubsub/actor.ts';
import type { Broker } from '../pubsub/broker.ts';

/**
 * Whether that filter is one topic, which is deleted, and what is left of it is not for that actor: who might read it went
 * with the topic. A name that it is granted is another matter: there it goes on.
 */
export function isLost(broker: Broker, log: Log, actor: Actor, filter: string): boolean {
  return !hasWildcard(filter) && log.topic(filter)?.deleted === true && !broker.mayRead(actor, filter);
}

/** Writes down what the durable reader of that name has not had and never will; its place is for the caller to give up. */
export async function noteUnread(log: Log, name: string): Promise<void> {
  for (const cursor of log.cursors()) {
    if (cursor.name !== name) continue;
    const count = await cursor.pending();
    if (count > 0) await log.noteLoss({ reader: name, topic: cursor.filter, from: cursor.position + 1, to: log.head, count, reason: 'dropped' });
    return;
  }
}
