import type { Published } from '../api.ts';
import { parseRecordId } from '../log/record-id.ts';
import type { Payload } from '../payload/payload.ts';
import { payloadToElement } from '../payload/xml.ts';
import { NS_PUBSUB } from '../xep/pubsub/terms.ts';
import { fromPubsubError } from '../xep/pubsub/errors.ts';
import { attr, children, type Element, xml } from '../xmpp/element.ts';
import { StanzaError } from '../xmpp/stanza-error.ts';

/** Publishes at another box. Resolves when that box has it on disk; give an id to make a repeat harmless. */
export async function publishAt(request: (iq: Element) => Promise<Element>, topic: string, payload: Payload, id: string | undefined): Promise<Published> {
  const item = xml('item', id === undefined ? {} : { id }, payloadToElement(payload));
  let answer;
  try {
    answer = await request(xml('iq', { type: 'set' }, xml('pubsub', { xmlns: NS_PUBSUB }, xml('publish', { node: topic }, item))));
  } catch (error) {
    throw error instanceof StanzaError ? fromPubsubError(error) : error;
  }
  const pubsub = children(answer).find((child) => child.name === 'pubsub');
  const parts = pubsub ? children(pubsub) : [];
  const record = parts.find((child) => child.name === 'record');
  const published = parts.find((child) => child.name === 'publish')?.getChild('item');
  const itemId = (published && attr(published, 'id')) ?? id ?? '';
  // An item without a chosen id goes by its record id.
  const recordId = (record && attr(record, 'id')) ?? itemId;
  return {
    topic,
    id: itemId,
    recordId,
    seq: parseRecordId(recordId).seq,
    repeated: record !== undefined && attr(record, 'repeated') === 'true',
  };
}
