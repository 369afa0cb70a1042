// XEP-0060 1.30 §7.1.2 (notifications), with what a box adds so that a repeat can be recognised:
// one <record/> of ours for each entry, in the same order.
import type { GapRange } from '../../api.ts';
import { elementToPayload, NS_LANPOST, payloadToElement } from '../../payload/xml.ts';
import { lostTopics, type Notice } from '../../pubsub/notice.ts';
import { attr, children, type Element, namespaceOf, xml } from '../../xml/element.ts';
import { escapeAttribute, serialize } from '../../xml/serialize.ts';
import { Written } from '../../xml/written.ts';

export const NS_PUBSUB_EVENT = 'http://jabber.org/protocol/pubsub#event';

export interface TopicEvent {
  /** Empty when every topic is concerned: then there are only gaps. */
  readonly topic: string;
  /** Which of the reader's subscriptions it is for. */
  readonly reader: string;
  readonly notices: readonly Notice[];
}

/** What happened to one topic, as far as it is the same for all who are told. */
export interface EventText {
  readonly event: Written;
  /** The `<record/>` of each entry. */
  readonly ids: Written;
}

export function eventText(topic: string, notices: readonly Notice[]): EventText {
  let event = `<event xmlns='${NS_PUBSUB_EVENT}'>`;
  let ids = '';
  let inItems = false;
  for (const notice of notices) {
    const isEntry = notice.kind === 'publish' || notice.kind === 'retract';
    if (isEntry !== inItems) event += isEntry ? `<items node='${escapeAttribute(topic)}'>` : '</items>';
    inItems = isEntry;
    event += isEntry ? entryText(notice) : serialize(changeElement(topic, notice));
    const { recordId, time, previous } = notice;
    ids += `<record id='${escapeAttribute(recordId)}' at='${time}'${previous === undefined ? '' : ` previous='${previous}'`}/>`;
  }
  return { event: new Written('event', `${event}${inItems ? '</items>' : ''}</event>`), ids: new Written('record', ids, true) };
}

/** The notification of it. A box reads `<records/>`; any other client the rest. */
export function eventMessage(reader: string, { event, ids }: EventText): Element {
  return xml('message', { type: 'headline' }, event, xml('records', { xmlns: NS_LANPOST, reader }, ids));
}

function entryText({ kind, id = '', payload, publisher }: Notice): string {
  if (kind === 'retract') return `<retract id='${escapeAttribute(id)}'/>`;
  const by = publisher === undefined ? '' : ` publisher='${escapeAttribute(publisher)}'`;
  return `<item id='${escapeAttribute(id)}'${by}>${payload ? serialize(payloadToElement(payload)) : ''}</item>`;
}

export function changeElement(topic: string, { kind, gap }: Notice): Element {
  switch (kind) {
    case 'purge': return xml('purge', { node: topic });
    case 'delete': return xml('delete', { node: topic });
    case 'configure': return xml('configuration', { node: topic });
    default: {
      const { reason, topics = [], others, ...range } = gap ?? { from: 0, to: 0, reason: 'unknown' };
      return xml('gap', { xmlns: NS_LANPOST, ...(topic === '' ? {} : { node: topic }), ...rangeAttributes(range), reason },
        ...topics.map(({ topic: node, ...lost }) => xml('lost', { node, ...rangeAttributes(lost) })),
        ...(others ? [xml('lost', rangeAttributes(others))] : []));
    }
  }
}

function rangeAttributes({ from, to, count }: GapRange): Record<string, string> {
  return { from: String(from), to: String(to), ...(count === undefined ? {} : { count: String(count) }) };
}

type Told = Omit<Notice, 'recordId' | 'time'>;

/** By a peer's word, so no object: `<constructor/>` would find something in it. */
const CHANGES: ReadonlyMap<string, Notice['kind']> = new Map([
  ['purge', 'purge'], ['delete', 'delete'], ['configuration', 'configure'], ['gap', 'gap'],
]);

/** The reader and the topic of what `parseEvent` may take, when that is all that is asked. */
export function aboutOf(message: Element): Pick<TopicEvent, 'reader' | 'topic'> | undefined {
  const event = children(message).find((child) => child.name === 'event' && namespaceOf(child) === NS_PUBSUB_EVENT);
  const records = children(message).find((child) => child.name === 'records' && namespaceOf(child) === NS_LANPOST);
  const [first] = event ? children(event) : [];
  const reader = records && attr(records, 'reader');
  return first && reader !== undefined ? { reader, topic: attr(first, 'node') ?? '' } : undefined;
}

/**
 * The notification of another box, or `undefined` for any other message. Throws what is wrong
 * with one that cannot be read.
 */
export function parseEvent(message: Element): TopicEvent | undefined {
  const event = children(message).find((child) => child.name === 'event' && namespaceOf(child) === NS_PUBSUB_EVENT);
  const records = children(message).find((child) => child.name === 'records' && namespaceOf(child) === NS_LANPOST);
  if (!event || !records) return undefined;
  const found: Told[] = [];
  const topics = new Set<string>();
  for (const child of children(event)) {
    // A gap may concern every topic.
    topics.add(child.name === 'gap' ? attr(child, 'node') ?? '' : needed(child, 'node'));
    const change = CHANGES.get(child.name);
    if (child.name === 'items') found.push(...children(child).map(parseEntry));
    else if (change) found.push({ kind: change, ...(change === 'gap' ? { gap: parseGap(child) } : {}) });
    else throw new Error(`<${child.name}/> is no pubsub event`);
  }
  const stamps = children(records).map((record) => ({
    recordId: needed(record, 'id'), time: wholeOf(record, 'at'), ...(attr(record, 'previous') === undefined ? {} : { previous: wholeOf(record, 'previous') }),
  }));
  const [topic] = topics;
  if (topic === undefined || topics.size > 1) throw new Error('an event must be about one topic');
  if (stamps.length !== found.length) throw new Error(`${found.length} entries came with ${stamps.length} record ids`);
  const notices = stamps.flatMap((stamp, index) => found.slice(index, index + 1).map((told) => ({ ...told, ...stamp })));
  return { topic, reader: needed(records, 'reader'), notices };
}

function wholeOf(record: Element, name: string): number {
  const value = Number(needed(record, name));
  if (!Number.isSafeInteger(value) || value < 0) throw new Error(`"${name}" of a record must be a whole number`);
  return value;
}

function parseEntry(entry: Element): Told {
  const id = needed(entry, 'id');
  if (entry.name === 'retract') return { kind: 'retract', id };
  if (entry.name !== 'item') throw new Error(`<${entry.name}/> is no entry of <items/>`);
  const [payload, ...more] = children(entry);
  if (more.length > 0) throw new Error(`item "${id}" has ${more.length + 1} payloads`);
  const publisher = attr(entry, 'publisher');
  return {
    kind: 'publish', id,
    ...(payload ? { payload: elementToPayload(payload) } : {}),
    ...(publisher === undefined ? {} : { publisher }),
  };
}

const REASONS: readonly NonNullable<Notice['gap']>['reason'][] = ['corrupt', 'overflow', 'expired', 'unfit'];

function parseGap(gap: Element): NonNullable<Notice['gap']> {
  const claimed = attr(gap, 'reason');
  const lost = children(gap).filter(({ name }) => name === 'lost');
  const told = { ...parseRange(gap), reason: REASONS.find((reason) => reason === claimed) ?? 'unknown' };
  return lost.length === 0 ? told : { ...told, ...lostTopics(lost.map((one) => ({ ...parseRange(one), topic: attr(one, 'node') }))) };
}

function parseRange(element: Element): GapRange {
  const [from, to] = [Number(needed(element, 'from')), Number(needed(element, 'to'))];
  const count = attr(element, 'count');
  if (![from, to, Number(count ?? 0)].every((value) => Number.isSafeInteger(value) && value >= 0)) throw new Error('a gap needs positions');
  return { from, to, ...(count === undefined ? {} : { count: Number(count) }) };
}

function needed(element: Element, name: string): string {
  const value = attr(element, name);
  if (value === undefined || value === '') throw new Error(`<${element.name}/> lacks "${name}"`);
  return value;
}
