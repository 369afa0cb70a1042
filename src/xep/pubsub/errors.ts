// XEP-0060: which stanza error, and which condition of its own, stands for each of our codes.
import { type ErrorCode, LanpostError } from '../../errors.ts';
import { Refusal, type RefusalReason } from '../../pubsub/refusal.ts';
import { type Element, xml } from '../../xml/element.ts';
import { type Condition, type ErrorType, StanzaError } from '../../xmpp/stanza-error.ts';

export const NS_PUBSUB_ERRORS = 'http://jabber.org/protocol/pubsub#errors';

const CONDITIONS: Partial<Readonly<Record<ErrorCode, { readonly condition: Condition; readonly application?: string }>>> = {
  busy: { condition: 'resource-constraint' },
  'disk-full': { condition: 'resource-constraint' },
  'topic-full': { condition: 'conflict', application: 'node-full' },
  'too-large': { condition: 'not-acceptable', application: 'payload-too-big' },
  'invalid-topic': { condition: 'bad-request' },
  'invalid-value': { condition: 'bad-request', application: 'invalid-payload' },
  forbidden: { condition: 'forbidden' },
  'not-found': { condition: 'item-not-found' },
  conflict: { condition: 'conflict' },
  'in-use': { condition: 'conflict' },
  unsupported: { condition: 'feature-not-implemented' },
  closed: { condition: 'recipient-unavailable' },
};

/** What stands for each refusal: the condition, its type where it is not that condition's own, and the XEP's own condition, or the feature that is not there. */
const REFUSED: Readonly<Record<RefusalReason, { readonly condition: Condition; readonly type?: ErrorType; readonly application?: string; readonly feature?: string }>> = {
  'authorization-required': { condition: 'not-authorized' }, // §6.1.4: never told where it can be asked for
  'closed-node': { condition: 'not-allowed', application: 'closed-node' },
  'forbidden': { condition: 'forbidden' },
  'invalid-config': { condition: 'not-acceptable' },
  'invalid-options': { condition: 'bad-request', application: 'invalid-options' },
  'invalid-payload': { condition: 'bad-request', application: 'invalid-payload' },
  'invalid-subid': { condition: 'not-acceptable', application: 'invalid-subid' },
  'item-forbidden': { condition: 'bad-request', application: 'item-forbidden' },
  'item-required': { condition: 'bad-request', application: 'item-required' },
  'moved': { condition: 'gone', type: 'modify' }, // §6.1.3.11, as RFC 3920 had it; RFC 6120 would cancel
  'not-in-roster-group': { condition: 'not-authorized', application: 'not-in-roster-group' },
  'not-persistent': { condition: 'feature-not-implemented', feature: 'persistent-items' },
  'not-subscribed': { condition: 'unexpected-request', type: 'cancel', application: 'not-subscribed' },
  'payload-required': { condition: 'bad-request', application: 'payload-required' },
  'pending-subscription': { condition: 'not-authorized', application: 'pending-subscription' },
  'precondition-not-met': { condition: 'conflict', application: 'precondition-not-met' },
  'presence-subscription-required': { condition: 'not-authorized', application: 'presence-subscription-required' },
  'subid-required': { condition: 'bad-request', application: 'subid-required' },
  'subscribers-only': { condition: 'not-authorized', application: 'not-subscribed' },
  'too-many-subscriptions': { condition: 'policy-violation', type: 'wait', application: 'too-many-subscriptions' },
  'unsupported-access-model': { condition: 'not-acceptable', application: 'unsupported-access-model' },
};

export function pubsubError(error: LanpostError): StanzaError {
  if (error instanceof Refusal) {
    const { condition: name, application, feature, ...type } = REFUSED[error.reason];
    return new StanzaError(name, {
      ...type,
      text: error.message,
      ...(error.uri === undefined ? {} : { uri: error.uri }),
      ...(application === undefined ? {} : { application: condition(application) }),
      ...(feature === undefined ? {} : { application: featureElement(feature) }),
    });
  }
  const found = CONDITIONS[error.code] ?? { condition: 'internal-server-error' };
  return new StanzaError(found.condition, {
    text: error.message,
    ...(found.application === undefined ? {} : { application: condition(found.application) }),
  });
}

const CODES: Partial<Readonly<Record<Condition, ErrorCode>>> = {
  'item-not-found': 'not-found', forbidden: 'forbidden', 'not-authorized': 'forbidden', 'not-allowed': 'forbidden', conflict: 'conflict',
  'resource-constraint': 'busy', 'not-acceptable': 'too-large', 'bad-request': 'invalid-value', 'recipient-unavailable': 'unreachable',
};

/** What a peer's refusal means to a caller here. */
export function fromPubsubError(error: StanzaError): LanpostError {
  return new LanpostError(CODES[error.condition] ?? 'unsupported', `the peer refused: ${error.text ?? error.condition}`, { cause: error });
}

/** A condition of the XEP's own, to stand beside one of RFC 6120. */
export function condition(name: string): Element {
  return xml(name, { xmlns: NS_PUBSUB_ERRORS });
}

export function badRequest(name: string): StanzaError {
  return new StanzaError('bad-request', { application: condition(name) });
}

/** §17.2: it always says which feature; of what the XEP has no feature for there is none. */
function featureElement(feature: string): Element {
  return xml('unsupported', { xmlns: NS_PUBSUB_ERRORS, feature });
}

export function unsupportedFeature(feature: string): StanzaError {
  return new StanzaError('feature-not-implemented', { application: featureElement(feature) });
}
