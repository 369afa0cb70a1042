// XEP-0060: which stanza error, and which condition of its own, stands for each of our codes.
import type { ErrorCode, LanpostError } from '../errors.ts';
import { xml } from '../xml/element.ts';
import { type Condition, StanzaError } from '../xmpp/stanza-error.ts';

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

export function pubsubError(error: LanpostError): StanzaError {
  const found = CONDITIONS[error.code] ?? { condition: 'internal-server-error' };
  return new StanzaError(found.condition, {
    text: error.message,
    ...(found.application === undefined ? {} : { application: xml(found.application, { xmlns: NS_PUBSUB_ERRORS }) }),
  });
}
