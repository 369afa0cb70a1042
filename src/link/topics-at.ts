import type { PeerTopic, TopicQuery } from '../api.ts';
import { LanpostError } from '../errors.ts';
import { validTopic } from '../log/filter.ts';
import { searchOf } from '../pubsub/search.ts';
import { fromPubsubError } from '../xep/pubsub/errors.ts';
import { PAGE } from '../xep/pubsub/find.ts';
import { findElement, readFound } from '../xep/pubsub/found.ts';
import { children, type Element, xml } from '../xmpp/element.ts';
import { StanzaError } from '../xmpp/stanza-error.ts';

/** What another box lets this one read, of what is asked for. */
export async function topicsAt(request: (iq: Element) => Promise<Element>, query: TopicQuery): Promise<PeerTopic[]> {
  const { limit } = searchOf(query);
  let answer;
  try {
    answer = await request(xml('iq', { type: 'get' }, findElement({ ...query, limit: Math.min(limit, PAGE) })));
  } catch (error) {
    throw error instanceof StanzaError ? refused(error) : error;
  }
  const found = children(answer).find((child) => child.name === 'found');
  return found ? readFound(found, Math.min(limit, PAGE)).filter(({ name }) => validTopic(name)) : [];
}

/** RFC 6120 §8.4: of a request that nobody there knows. */
function refused(error: StanzaError): LanpostError {
  return error.condition === 'service-unavailable' ? new LanpostError('unsupported', 'the peer does not say which topics it has', { cause: error }) : fromPubsubError(error);
}
