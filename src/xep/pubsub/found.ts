// What `find.ts` answers, from the other side: docs/LINK.md has the form.
import type { AccessModel, PeerTopic, PublishModel, TopicQuery } from '../../api.ts';
import { NS_LANPOST } from '../../payload/xml.ts';
import { isMediaType } from '../../payload/payload.ts';
import { attr, children, type Element, xml } from '../../xml/element.ts';
import { NS_DATA } from '../data-form.ts';

const ACCESS_MODELS: readonly AccessModel[] = ['open', 'presence', 'roster', 'authorize', 'whitelist'];
const PUBLISH_MODELS: readonly PublishModel[] = ['publishers', 'subscribers', 'open'];

export function findElement({ text, type, contentType, tags = [], filter, limit }: TopicQuery): Element {
  return xml('find', { xmlns: NS_LANPOST, type, 'content-type': contentType, filter, limit: limit === undefined ? undefined : String(limit) },
    text === undefined ? undefined : xml('text', {}, text), ...tags.map((tag) => xml('tag', {}, tag)));
}

/** By a peer's word: of what is said of a topic, whatever is not as it should be is left out; its name is as the peer has it. */
export function readFound(found: Element, most: number): PeerTopic[] {
  return children(found).filter(({ name }) => name === 'topic').slice(0, most).map((topic) => ({ name: attr(topic, 'node') ?? '', ...said(topic.getChild('x', NS_DATA)) }));
}

function said(form: Element | undefined): Omit<PeerTopic, 'name'> {
  const values = new Map((form ? children(form) : []).map((field) => [attr(field, 'var') ?? '', children(field).filter(({ name }) => name === 'value').map((value) => value.getText())]));
  const text = (name: string): string | undefined => values.get(name)?.[0];
  const [title, description, type, language] = ['title', 'description', 'type', 'language'].map((name) => text(`pubsub#${name}`));
  const contentType = text(`{${NS_LANPOST}}content_type`);
  const accessModel = ACCESS_MODELS.find((one) => one === text('pubsub#access_model'));
  const publishModel = PUBLISH_MODELS.find((one) => one === text('pubsub#publish_model'));
  return {
    tags: values.get(`{${NS_LANPOST}}tags`) ?? [],
    ...title === undefined ? {} : { title }, ...description === undefined ? {} : { description },
    ...type === undefined ? {} : { type }, ...language === undefined ? {} : { language },
    ...contentType !== undefined && isMediaType(contentType) ? { contentType } : {},
    ...text(`{${NS_LANPOST}}lane`) === 'latest' ? { lane: 'latest' } : {},
    ...accessModel === undefined ? {} : { accessModel }, ...publishModel === undefined ? {} : { publishModel },
  };
}
