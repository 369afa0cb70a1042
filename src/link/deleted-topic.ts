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
