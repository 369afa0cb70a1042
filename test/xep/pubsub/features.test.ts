import { expect, test } from 'vitest';
import { PubsubService } from '../../../src/xep/pubsub/service.ts';
import { NS_PUBSUB } from '../../../src/xep/pubsub/terms.ts';

/** Announced only with what answers it; those that no request stands for are said of how others are answered. */
const STANDS_ON: Readonly<Record<string, string>> = {
  'publish': 'set publish', 'item-ids': 'set publish', 'persistent-items': 'get items', 'auto-create': 'set publish', 'publish-options': 'set publish',
  'retract-items': 'set retract', 'delete-items': 'set retract', 'retrieve-items': 'get items',
  'create-nodes': 'set create', 'create-and-configure': 'set create', 'instant-nodes': 'set create', 'access-whitelist': 'set create',
  'config-node': 'owner set configure', 'config-node-max': 'owner set configure', 'retrieve-default': 'owner get default', 'multi-items': 'owner set configure', 'publish-node-full': 'owner set configure',
  'delete-nodes': 'owner set delete', 'purge-nodes': 'owner set purge',
  'modify-affiliations': 'owner set affiliations', 'retrieve-affiliations': 'get affiliations',
  'publisher-affiliation': 'owner set affiliations', 'publish-only-affiliation': 'owner set affiliations', 'member-affiliation': 'owner set affiliations', 'outcast-affiliation': 'owner set affiliations',
  'manage-subscriptions': 'owner set subscriptions',
  'subscribe': 'set subscribe', 'multi-subscribe': 'set subscribe', 'retrieve-subscriptions': 'get subscriptions', 'subscription-options': 'set options',
};

test('what is announced of the owner and publisher use cases is answered, and what is answered is announced', () => {
  const service = new PubsubService({} as never);
  const announced = service.features.map((feature) => feature.replace(`${NS_PUBSUB}#`, ''));
  const answered = new Set(service.verbs);
  expect(Object.entries(STANDS_ON).filter(([feature]) => !announced.includes(feature))).toEqual([]);
  expect(Object.entries(STANDS_ON).filter(([, verb]) => !answered.has(verb))).toEqual([]);
  // Each verb stands for something that is announced; reading forms and leaving go with their counterparts.
  const beside = ['set unsubscribe', 'get options', 'owner get configure', 'owner get affiliations', 'owner get subscriptions'];
  const without = [...answered].filter((verb) => !Object.values(STANDS_ON).includes(verb) && !beside.includes(verb));
  expect(without.filter((verb) => verb !== 'get default')).toEqual([]);
  expect(new Set(announced).size).toBe(announced.length);
});
