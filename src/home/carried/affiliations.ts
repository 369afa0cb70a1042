// Who else may publish to the nodes of an account (XEP-0060 1.26.0 §8.9).
import { xml } from '../../xmpp/element.ts';
import { StanzaError } from '../../xmpp/stanza-error.ts';
import { createRequest, type NodeSettings } from '../node.ts';
import type { Element } from '../../xmpp/element.ts';

const NS_OWNER = 'http://jabber.org/protocol/pubsub#owner';

/** §8.9.2. */
export function affiliationRequest(service: string, node: string, jid: string, affiliation: 'owner' | 'publisher' | 'none'): Element {
  return xml('iq', { type: 'set', to: service }, xml('pubsub', { xmlns: NS_OWNER }, xml('affiliations', { node }, xml('affiliation', { jid, affiliation }))));
}

/** Made first when it is not there: whoever publishes to a node that is missing would own it, where services make them so. */
export async function affiliate(request: (iq: Element) => Promise<Element>, { service, node, jid, affiliation, settings }: {
  readonly service: string; readonly node: string; readonly jid: string; readonly affiliation: 'publisher' | 'none'; readonly settings: Pick<NodeSettings, 'accessModel'>;
}): Promise<void> {
  const ask = (): Promise<Element> => request(affiliationRequest(service, node, jid, affiliation));
  try {
    await ask();
  } catch (error) {
    if (!(error instanceof StanzaError) || error.condition !== 'item-not-found' || affiliation === 'none') throw error;
    await request(createRequest(service, node, { ...settings, maxItems: 'max' }));
    await ask();
  }
}
