// The requests of a publisher (XEP-0060 1.26.0) as the uplink needs them.
import { attr, xml, type Element } from '../xmpp/element.ts';
import { recordIdOf } from './record-element.ts';

export const NS_PUBSUB = 'http://jabber.org/protocol/pubsub';
const NS_FORMS = 'jabber:x:data';

function request(type: 'get' | 'set', service: string, child: Element): Element {
  return xml('iq', { type, to: service }, xml('pubsub', { xmlns: NS_PUBSUB }, child));
}

/** §7.1. One item: Prosody stores only the first of several, ejabberd refuses them. With options (§7.1.5), a node that is made by it has that access model. */
export function publishRequest(service: string, node: string, id: string, payload: Element, accessModel?: NodeSettings['accessModel']): Element {
  const iq = request('set', service, xml('publish', { node }, xml('item', { id }, payload)));
  if (accessModel === undefined) return iq;
  iq.getChild('pubsub')?.append(xml('publish-options', {}, xml('x', { xmlns: NS_FORMS, type: 'submit' },
    xml('field', { var: 'FORM_TYPE', type: 'hidden' }, xml('value', {}, `${NS_PUBSUB}#publish-options`)),
    field('pubsub#persist_items', '1'), field('pubsub#access_model', accessModel))));
  return iq;
}

/** §7.2. */
export function retractRequest(service: string, node: string, id: string): Element {
  return request('set', service, xml('retract', { node, notify: 'true' }, xml('item', { id })));
}

export interface NodeSettings {
  readonly accessModel: 'open' | 'whitelist';
  /** How many items the node keeps; `max` is as many as the service lets it. */
  readonly maxItems: string | undefined;
}

function field(name: string, value: string): Element {
  return xml('field', { var: name }, xml('value', {}, value));
}

/** §8.1.3: created with its configuration, so that it never stands there with the service's own. */
export function createRequest(service: string, node: string, settings: NodeSettings): Element {
  const form = xml('x', { xmlns: NS_FORMS, type: 'submit' },
    xml('field', { var: 'FORM_TYPE', type: 'hidden' }, xml('value', {}, `${NS_PUBSUB}#node_config`)),
    field('pubsub#persist_items', '1'),
    field('pubsub#access_model', settings.accessModel),
    field('pubsub#send_last_published_item', 'never'),
    // Off by default on ejabberd: whoever follows the node would wait for ever.
    field('pubsub#notify_delete', '1'),
    field('pubsub#notify_retract', '1'),
    field('pubsub#notification_type', 'headline'));
  if (settings.maxItems !== undefined) form.append(field('pubsub#max_items', settings.maxItems));
  const iq = request('set', service, xml('create', { node }));
  iq.getChild('pubsub')?.append(xml('configure', {}, form));
  return iq;
}

/** §6.5.8: items by id; unknown ones are left out of the answer. */
export function itemsRequest(service: string, node: string, ids: readonly string[]): Element {
  return request('get', service, xml('items', { node }, ...ids.map((id) => xml('item', { id }))));
}

/** Item id → the record it holds, or undefined for an item that is not ours. */
export function parseItems(answer: Element): Map<string, string | undefined> {
  const items = answer.getChild('pubsub', NS_PUBSUB)?.getChild('items')?.getChildren('item') ?? [];
  const found = new Map<string, string | undefined>();
  for (const item of items) {
    const id = attr(item, 'id');
    if (id !== undefined) found.set(id, recordIdOf(item));
  }
  return found;
}
