import { hasWildcard } from '../log/filter.ts';
import type { Log } from '../log/log.ts';
import type { Actor } from '../pubsub/actor.ts';
import type { Broker } from '../pubsub/broker.ts';
import { isPersonal } from '../pubsub/personal.ts';

/**
 * Whether that filter is one topic, which is deleted, and what is left of it is not for that actor: who might read it went
 * with the topic. A name that it is granted is another matter: there it goes on.
 */
export function isLost(broker: Broker, log: Log, actor: Actor, filter: string): boolean {
  return !hasWildcard(filter) && log.topic(filter)?.deleted === true && !broker.mayRead(actor, filter);
}

/** XEP-0163 §7.1: whether that filter is one node of this box itself, and that actor stands so that it is not for it any more. */
export function isCancelled(broker: Broker, actor: Actor, filter: string): boolean {
  return isPersonal(filter) && !hasWildcard(filter) && broker.access.excludes(actor, filter);
}
