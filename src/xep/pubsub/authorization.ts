// XEP-0060 1.30 §8.6: an owner is asked whether somebody may subscribe, and says so, in forms within messages.
import type { PeerSubscription } from '../../pubsub/peer-subscriptions.ts';
import { type Element, xml } from '../../xml/element.ts';
import { StanzaError } from '../../xmpp/stanza-error.ts';
import { formElement, readBoolean, readForm } from '../data-form.ts';

export const SUBSCRIBE_AUTHORIZATION = 'http://jabber.org/protocol/pubsub#subscribe_authorization';

export interface Verdict {
  readonly node: string;
  readonly id: string;
  readonly allow: boolean;
}

/** `jid`: who has asked, by the name that its key goes by. */
export function authorizationRequest({ node, id }: PeerSubscription, jid: string): Element {
  return xml('message', { type: 'normal', id: `authorize-${id}` },
    xml('body', {}, `${jid} asks to subscribe to ${node}.`),
    formElement('form', SUBSCRIBE_AUTHORIZATION, [
      { name: 'pubsub#subid', type: 'hidden', values: [id] },
      { name: 'pubsub#node', type: 'text-single', label: 'Node', values: [node] },
      { name: 'pubsub#subscriber_jid', type: 'jid-single', label: 'Who asks', values: [jid] },
      { name: 'pubsub#allow', type: 'boolean', label: 'May it subscribe?', values: ['0'] },
    ], 'Subscription request'),
  );
}

/** Undefined for a message that is about something else, or of an owner who does not want to say. */
export function readVerdict(message: Element): Verdict | undefined {
  const form = readForm(message);
  if (form?.about !== SUBSCRIBE_AUTHORIZATION || form.cancelled) return undefined;
  const [node, id, allow] = ['node', 'subid', 'allow'].map((name) => form.values.get(`pubsub#${name}`)?.[0]);
  const allowed = readBoolean(allow);
  if (node === undefined || id === undefined || allowed === undefined) throw new StanzaError('bad-request', { text: 'node, subid and allow are needed' });
  return { node, id, allow: allowed };
}
