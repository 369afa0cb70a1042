// XEP-0060 1.30 §7.1.2, §7.2.2, §8.2.5, §8.4.2, §8.5.2, §12.14: what happened to a node, told to a client as the XEP
// has it, one thing a message. Between boxes it is event.ts.
import type { TopicConfig } from '../../api.ts';
import { formOf } from '../../payload/payload.ts';
import { payloadToElement } from '../../payload/xml.ts';
import type { Notice } from '../../pubsub/notice.ts';
import { personalNode } from '../../pubsub/personal.ts';
import type { PeerSubscription, SubscriptionState } from '../../pubsub/peer-subscriptions.ts';
import { attr, children, type Element, xml } from '../../xml/element.ts';
import { stanzaErrorOf } from '../../xmpp/stanza-error.ts';
import { delayElement } from '../delay.ts';
import { type Header, headersElement } from '../shim.ts';
import { changeElement, NS_PUBSUB_EVENT } from './event.ts';
import { configForm } from './node-config.ts';

export interface Told {
  readonly node: string;
  readonly notice: Notice;
  /** So that what comes back can be known (§12.4). */
  readonly id: string;
  readonly type: 'headline' | 'normal';
  readonly payload: boolean;
  readonly config: TopicConfig;
  /** §12.17: whom an item comes from, if that is told. */
  readonly publisher?: string;
  /** The topic has come to be (XEP-0248 §5.3.1.2). */
  readonly created?: boolean;
  /** §12.8 */
  readonly body?: boolean;
  /** §6.1.7: it is not new. */
  readonly delayed?: boolean;
  readonly headers: readonly Header[];
}

export interface Subscriber {
  readonly node: string;
  /** What its key goes by. */
  readonly jid: string;
  readonly subid: string;
  readonly state: SubscriptionState;
}

export function notification(told: Told): Element {
  const { notice, id, type } = told;
  const text = told.body === true ? bodyOf(notice) : undefined;
  return xml('message', { type, id },
    xml('event', { xmlns: NS_PUBSUB_EVENT }, happened(told)),
    text === undefined ? undefined : xml('body', {}, text),
    told.delayed === true ? delayElement(notice.time) : undefined,
    // §7.1.2.4: the last child.
    headersElement(told.headers),
  );
}

/** §12.14, and §12.19 of a lease. */
export function stateNotification({ node: topic, name, id, state, options }: PeerSubscription, messageId: string): Element {
  const node = personalNode(topic) ?? topic;
  const expiry = typeof options.expire === 'number' && state !== 'none' ? { expiry: new Date(options.expire).toISOString() } : {};
  return xml('message', { type: 'headline', id: messageId }, xml('event', { xmlns: NS_PUBSUB_EVENT },
    xml('subscription', { node, jid: name, subid: id, subscription: state, ...expiry })));
}

/**
 * §12.4: whether what was sent back says that its subscriber will never want any of it: the type must say `cancel`, or the
 * condition `gone`. What is wrong with one message, and what may pass, ends nothing.
 */
export function endsSubscription(returned: Element): boolean {
  const { condition } = stanzaErrorOf(returned);
  if (condition === 'gone') return true;
  const said = children(returned).find(({ name }) => name === 'error');
  return said !== undefined && attr(said, 'type') === 'cancel' && !OF_ONE_MESSAGE.has(condition);
}

/** Conditions that count as a bounce whatever the type says. */
const OF_ONE_MESSAGE: ReadonlySet<string> = new Set(['bad-request', 'redirect', 'not-acceptable']);

/** §8.2.4, `pubsub#notify_sub`: what the state of somebody's subscription is now, told to an owner in the words of §12.14. */
export function subscriberNotification({ node: topic, jid, subid, state }: Subscriber, messageId: string): Element {
  return xml('message', { type: 'headline', id: messageId }, xml('event', { xmlns: NS_PUBSUB_EVENT },
    xml('subscription', { node: personalNode(topic) ?? topic, jid, subid, subscription: state })));
}

function happened({ node: topic, notice, payload, publisher, created, config }: Told): Element {
  const node = personalNode(topic) ?? topic;
  if (created === true) return xml('create', { node });
  switch (notice.kind) {
    // §8.2.5.3: with payloads, the configuration is one.
    case 'configure': return xml('configuration', { node }, payload ? configForm('result', config) : undefined);
    case 'publish': {
      // §4.3: what is neither kept nor told has no item.
      if (!payload && !config.persist) return xml('items', { node });
      const item = xml('item', { id: notice.id, publisher }, payload && notice.payload ? payloadToElement(notice.payload) : undefined);
      return xml('items', { node }, item);
    }
    case 'retract': return xml('items', { node }, xml('retract', { id: notice.id }));
    case 'delete': return xml('delete', { node }, notice.redirect === undefined ? undefined : xml('redirect', { uri: notice.redirect }));
    default: return changeElement(node, notice);
  }
}

/** Characters of a body: the payload is there as it is. */
const BODY = 1024;

/** What people can read of it: text, and what JSON says of itself. */
function bodyOf({ payload }: Notice): string | undefined {
  if (!payload) return undefined;
  const form = formOf(payload.contentType);
  if (form !== 'text' && form !== 'json') return undefined;
  return Buffer.from(payload.bytes).toString('utf8').slice(0, BODY);
}
