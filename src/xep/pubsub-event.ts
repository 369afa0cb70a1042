// XEP-0060 1.30 §7.1.2 (notifications), with what a box adds so that a repeat can be recognised:
// one <record/> of ours for each entry, in the same order.
import type { GapInfo, LogRecord, Origin } from '../log/record.ts';
import { formatRecordId, parseRecordId } from '../log/record-id.ts';
import { elementToPayload, payloadToElement } from '../payload/xml.ts';
import type { Payload } from '../payload/payload.ts';
import { itemId } from '../pubsub/delivery.ts';
import { attr, children, type Element, namespaceOf, xml } from '../xml/element.ts';

export const NS_PUBSUB_EVENT = 'http://jabber.org/protocol/pubsub#event';
const NS_LANPOST = 'urn:lanpost:0';

/** One thing that happened to a topic, as it travels. */
export interface EventEntry {
  readonly kind: 'publish' | 'retract' | 'purge' | 'delete' | 'configure' | 'gap';
  readonly id?: string;
  readonly payload?: Payload;
  readonly publisher?: string;
  readonly gap?: GapInfo;
  readonly origin: Origin;
}

export interface TopicEvent {
  readonly topic: string;
  /** Which of the reader's subscriptions it is for. */
  readonly reader: string;
  readonly entries: readonly EventEntry[];
}

/** The notification for records of one topic. A box reads `<records/>`; any other client the rest. */
export function eventMessage(reader: string, topic: string, records: readonly LogRecord[]): Element {
  const event = xml('event', { xmlns: NS_PUBSUB_EVENT });
  let items: Element | undefined;
  for (const record of records) {
    if (record.kind === 'publish' || record.kind === 'retract') {
      if (!items) event.append(items = xml('items', { node: topic }));
      items.append(entryElement(record));
      continue;
    }
    items = undefined;
    event.append(changeElement(topic, record));
  }
  const ids = records.map((record) => xml('record', { id: formatRecordId(originOf(record)), at: String(record.stamp.wall) }));
  return xml('message', { type: 'headline' }, event, xml('records', { xmlns: NS_LANPOST, reader }, ...ids));
}

/** Where a record was first accepted: here, unless it came from another box. */
function originOf(record: LogRecord): Origin {
  return record.origin ?? parseRecordId(record.recordId);
}

function entryElement(record: LogRecord): Element {
  if (record.kind === 'retract') return xml('retract', { id: itemId(record) });
  const payload = record.payload && payloadToElement(record.payload);
  const publisher = record.publisher === undefined ? {} : { publisher: record.publisher };
  return xml('item', { id: itemId(record), ...publisher }, ...(payload ? [payload] : []));
}

function changeElement(topic: string, record: LogRecord): Element {
  switch (record.kind) {
    case 'purge': return xml('purge', { node: topic });
    case 'delete': return xml('delete', { node: topic });
    case 'configure': return xml('configuration', { node: topic });
    default: {
      const { from, to, count, reason } = record.gap ?? { from: 0, to: 0, reason: 'unknown' };
      return xml('gap', { xmlns: NS_LANPOST, node: topic, from: String(from), to: String(to), reason, ...(count === undefined ? {} : { count: String(count) }) });
    }
  }
}

const CHANGES: Readonly<Record<string, EventEntry['kind']>> = {
  purge: 'purge', delete: 'delete', configuration: 'configure', gap: 'gap',
};

/**
 * The notification of another box, or `undefined` for any other message. Throws what is wrong
 * with one that cannot be read.
 */
export function parseEvent(message: Element): TopicEvent | undefined {
  const event = children(message).find((child) => child.name === 'event' && namespaceOf(child) === NS_PUBSUB_EVENT);
  const records = children(message).find((child) => child.name === 'records' && namespaceOf(child) === NS_LANPOST);
  if (!event || !records) return undefined;
  const found: Omit<EventEntry, 'origin'>[] = [];
  const topics = new Set<string>();
  for (const child of children(event)) {
    topics.add(needed(child, 'node'));
    const change = CHANGES[child.name];
    if (child.name === 'items') found.push(...children(child).map(parseEntry));
    else if (change) found.push({ kind: change, ...(change === 'gap' ? { gap: parseGap(child) } : {}) });
    else throw new Error(`<${child.name}/> is no pubsub event`);
  }
  const ids = children(records).map((record) => needed(record, 'id'));
  const [topic] = topics;
  if (topic === undefined || topics.size > 1) throw new Error('an event must be about one topic');
  if (ids.length !== found.length) throw new Error(`${found.length} entries came with ${ids.length} record ids`);
  const entries = found.map((entry, index) => ({ ...entry, origin: parseRecordId(ids[index] ?? '') }));
  return { topic, reader: needed(records, 'reader'), entries };
}

function parseEntry(entry: Element): Omit<EventEntry, 'origin'> {
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

const REASONS: readonly GapInfo['reason'][] = ['corrupt', 'overflow', 'disk-full', 'expired', 'trimmed'];

function parseGap(gap: Element): GapInfo {
  const [from, to] = [Number(needed(gap, 'from')), Number(needed(gap, 'to'))];
  const count = attr(gap, 'count');
  if (![from, to, Number(count ?? 0)].every((value) => Number.isSafeInteger(value) && value >= 0)) throw new Error('a gap needs positions');
  const claimed = attr(gap, 'reason');
  return {
    from, to,
    reason: REASONS.find((reason) => reason === claimed) ?? 'unknown',
    ...(count === undefined ? {} : { count: Number(count) }),
  };
}

function needed(element: Element, name: string): string {
  const value = attr(element, name);
  if (value === undefined || value === '') throw new Error(`<${element.name}/> lacks "${name}"`);
  return value;
}
