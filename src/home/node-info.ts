// What a service tells of a node: to whom it belongs, and how many items it keeps (XEP-0060 §5.4, §8.2).
import { attr, xml, type Element } from '../xmpp/element.ts';
import { StanzaError } from '../xmpp/stanza-error.ts';
import { NS_PUBSUB } from './node.ts';

const NS_INFO = 'http://jabber.org/protocol/disco#info';
const NS_OWNER = `${NS_PUBSUB}#owner`;
const NS_FORMS = 'jabber:x:data';

export type Request = (iq: Element) => Promise<Element>;

function valuesOf(form: Element | undefined, name: string): string[] {
  const field = form?.getChildren('field').find((one) => attr(one, 'var') === name);
  return (field?.getChildren('value') ?? []).map((value) => value.getText());
}

export interface NodeMeta {
  readonly owners: readonly string[];
  /** As the service tells it to whoever does not own the node. */
  readonly maxItems: number | undefined;
}

/** §5.4; nothing where there is no such node. */
export async function metaOf(service: string, node: string, request: Request): Promise<NodeMeta | undefined> {
  try {
    const form = (await request(xml('iq', { type: 'get', to: service }, xml('query', { xmlns: NS_INFO, node })))).getChild('query', NS_INFO)?.getChild('x', NS_FORMS);
    const owners = [...valuesOf(form, 'pubsub#owner'), ...valuesOf(form, 'pubsub#creator')];
    return { owners: [...new Set(owners.filter((owner) => owner !== ''))].slice(0, 5), maxItems: count(valuesOf(form, 'pubsub#max_items')[0]) };
  } catch (error) {
    if (error instanceof StanzaError && error.condition === 'item-not-found') return undefined;
    throw error;
  }
}

/** Nothing where there is no such node; none where nobody says. */
export async function ownersOf(service: string, node: string, request: Request): Promise<readonly string[] | undefined> {
  const meta = await metaOf(service, node, request);
  if (!meta || meta.owners.length > 0) return meta?.owners;
  try {
    // §8.9.1: whoever may see them owns it, too.
    const answer = await request(xml('iq', { type: 'get', to: service }, xml('pubsub', { xmlns: NS_OWNER }, xml('affiliations', { node }))));
    const all = answer.getChild('pubsub', NS_OWNER)?.getChild('affiliations')?.getChildren('affiliation') ?? [];
    return all.filter((one) => attr(one, 'affiliation') === 'owner').map((one) => attr(one, 'jid') ?? '').slice(0, 5);
  } catch (error) {
    if (error instanceof StanzaError) return [];
    throw error;
  }
}

function count(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

/** §8.2.1: how many items it keeps; Infinity for `max` where nobody says how many that are, nothing where the account does not own it. */
export async function keepsOf(service: string, node: string, request: Request): Promise<number | undefined> {
  const answer = await request(xml('iq', { type: 'get', to: service }, xml('pubsub', { xmlns: NS_OWNER }, xml('configure', { node }))));
  const form = answer.getChild('pubsub', NS_OWNER)?.getChild('configure')?.getChild('x', NS_FORMS);
  const field = form?.getChildren('field').find((one) => attr(one, 'var') === 'pubsub#max_items');
  const value = field?.getChildText('value') ?? undefined;
  if (value !== 'max') return count(value);
  // XEP-0122, as Prosody says what `max` is.
  const range = field?.getChildren('validate').flatMap((validate) => validate.getChildren('range'))[0];
  return count(range && attr(range, 'max')) ?? Infinity;
}

/** How many items the node keeps, as far as anybody says. */
export async function keptBy(service: string, node: string, request: Request): Promise<number | undefined> {
  return await orNothing(keepsOf(service, node, request)) ?? (await orNothing(metaOf(service, node, request)))?.maxItems;
}

/** An answer that is an error, as nothing. */
export function orNothing<T>(asked: Promise<T>): Promise<T | undefined> {
  return asked.catch((error: unknown) => {
    if (error instanceof StanzaError) return undefined;
    throw error;
  });
}

/** §8.4.1. */
export function deleteRequest(service: string, node: string): Element {
  return xml('iq', { type: 'set', to: service }, xml('pubsub', { xmlns: NS_OWNER }, xml('delete', { node })));
}

/** §8.2.4: that alone is changed. */
export function keepRequest(service: string, node: string, items: string): Element {
  return xml('iq', { type: 'set', to: service }, xml('pubsub', { xmlns: NS_OWNER }, xml('configure', { node },
    xml('x', { xmlns: NS_FORMS, type: 'submit' },
      xml('field', { var: 'FORM_TYPE', type: 'hidden' }, xml('value', {}, `${NS_PUBSUB}#node_config`)),
      xml('field', { var: 'pubsub#max_items' }, xml('value', {}, items))))));
}
