import { describe, expect, it } from 'vitest';
import { type ErrorCode, LanpostError } from '../../../src/errors.ts';
import { Refusal, type RefusalReason } from '../../../src/pubsub/refusal.ts';
import { fromPubsubError, pubsubError, unsupportedFeature } from '../../../src/xep/pubsub/errors.ts';
import { shown } from '../../conformance/xep-0060/shown-error.ts';

/** As the examples of XEP-0060 1.30 have it. */
const REFUSALS: Readonly<Record<RefusalReason, string>> = {
  'authorization-required': 'auth not-authorized',
  'closed-node': 'cancel not-allowed / closed-node', // §6.1.3.4
  'forbidden': 'auth forbidden', // §6.1.3.8
  'invalid-config': 'modify not-acceptable', // §8.2.5.2
  'invalid-options': 'modify bad-request / invalid-options', // §6.3.6.2
  'invalid-payload': 'modify bad-request / invalid-payload', // §7.1.3.6
  'invalid-subid': 'modify not-acceptable / invalid-subid', // §6.2.3.5
  'item-forbidden': 'modify bad-request / item-forbidden', // §7.1.3.7
  'item-required': 'modify bad-request / item-required', // §7.1.3.7
  'moved': 'modify gone', // §6.1.3.11
  'not-in-roster-group': 'auth not-authorized / not-in-roster-group', // §6.1.3.3
  'not-persistent': 'cancel feature-not-implemented / unsupported persistent-items', // §7.2.3.5
  'not-subscribed': 'cancel unexpected-request / not-subscribed', // §6.2.3.2
  'payload-required': 'modify bad-request / payload-required', // §7.1.3.7
  'pending-subscription': 'auth not-authorized / pending-subscription', // §6.1.3.7
  'precondition-not-met': 'cancel conflict / precondition-not-met', // §7.1.5
  'presence-subscription-required': 'auth not-authorized / presence-subscription-required', // §6.1.3.2
  'subid-required': 'modify bad-request / subid-required', // §6.2.3.1
  'subscribers-only': 'auth not-authorized / not-subscribed', // §6.5.9.3
  'too-many-subscriptions': 'wait policy-violation / too-many-subscriptions', // §6.1.3.9
  'unsupported-access-model': 'modify not-acceptable / unsupported-access-model', // §8.1.2
};

const CODES: Partial<Readonly<Record<ErrorCode, string>>> = {
  'busy': 'wait resource-constraint',
  'disk-full': 'wait resource-constraint',
  'topic-full': 'cancel conflict / node-full', // §7.1.3.4
  'too-large': 'modify not-acceptable / payload-too-big', // §7.1.3.5
  'invalid-topic': 'modify bad-request',
  'invalid-value': 'modify bad-request / invalid-payload', // §7.1.3.6
  'forbidden': 'auth forbidden',
  'not-found': 'cancel item-not-found',
  'conflict': 'cancel conflict',
  'in-use': 'cancel conflict',
  'unsupported': 'cancel feature-not-implemented',
  'closed': 'wait recipient-unavailable',
  'corrupt': 'cancel internal-server-error',
};

describe('what a refusal is on the wire, as the examples of XEP-0060 have it', () => {
  it.each(Object.entries(REFUSALS))('%s is %s', (reason, wanted) => {
    expect(shown(pubsubError(new Refusal(reason as RefusalReason, 'no')))).toBe(wanted);
  });

  it.each(Object.entries(CODES))('the code %s is %s', (code, wanted) => {
    expect(shown(pubsubError(new LanpostError(code as ErrorCode, 'no')))).toBe(wanted);
  });

  it('what there is not is named by its feature', () => {
    expect(shown(unsupportedFeature('purge-nodes'))).toBe('cancel feature-not-implemented / unsupported purge-nodes'); // §8.5.3.1
  });

  it('says where a topic is now', () => {
    expect(pubsubError(new Refusal('moved', 'gone', 'xmpp:home?;node=t')).uri).toBe('xmpp:home?;node=t');
  });
});

describe('what the refusal of a peer means here', () => {
  it.each([
    ['not-found', 'not-found'], ['forbidden', 'forbidden'], ['busy', 'busy'], ['too-large', 'too-large'], ['conflict', 'conflict'], ['closed', 'unreachable'], ['unsupported', 'unsupported'],
  ] as const)('its %s is %s', (code, meant) => {
    expect(fromPubsubError(pubsubError(new LanpostError(code, 'no'))).code).toBe(meant);
  });
});
