import { hasWildcard, matches } from '../log/filter.ts';
import type { Log } from '../log/log.ts';
import type { Broker } from '../pubsub/broker.ts';
import { type PeerSubscriptions, readsBy } from '../pubsub/peer-subscriptions.ts';
import { isWithin } from '../pubsub/subtree.ts';

export interface WiderReadersParts {
  readonly broker: Broker;
  readonly log: Pick<Log, 'cursors' | 'topic' | 'noteLoss'>;
  readonly subscriptions: PeerSubscriptions;
  /** Whether the owner of this box has vouched for that key. */
  readonly isKnown: (fingerprint: string) => boolean;
}

/**
 * Before a topic is deleted: who is away, may read it, and has more of it to come by a filter that is wider. What it could read goes
 * with the topic, and it is passed over when it is back; gives what writes that down, once it is so.
 */
export function widerReaders({ broker, log, subscriptions, isKnown }: WiderReadersParts, topic: string): () => Promise<void> {
  const last = log.topic(topic)?.last ?? 0;
  const owed = [...log.cursors()].flatMap(({ name, filter, position, open }) => {
    const [, road, fingerprint] = /^(peer|sub):([0-9a-f]{64}):/.exec(name) ?? [];
    if (fingerprint === undefined || open || position >= last || !hasWildcard(filter) || !matches(filter, topic)) return [];
    const actor = { kind: 'peer', name: '', fingerprint } as const;
    const wanted = road === 'peer' || [...subscriptions.of(fingerprint)].some((row) => row.state === 'subscribed' && readsBy(row) === filter
      && row.options.deliver && row.options.kind !== 'nodes' && isWithin(row.node, topic, row.options.depth));
    return wanted && broker.mayRead(actor, topic) ? [{ name, actor, from: position + 1 }] : [];
  });
  return async () => {
    for (const { name, actor, from } of owed) {
      if (broker.mayRead(actor, topic)) continue;
      await log.noteLoss({ reader: name, topic, from, to: last, reason: 'dropped', pooled: !isKnown(actor.fingerprint) });
    }
  };
}
