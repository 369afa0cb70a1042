// A record as it stands in a home's node: the payload, and around it what a reader needs to order and to dedupe.
import type { LogRecord } from '../log/record.ts';
import { NS_LANPOST, payloadToElement } from '../payload/xml.ts';
import { attr, isLegal, xml, type Element } from '../xmpp/element.ts';

/** What of a record is published. */
export type Published = Pick<LogRecord, 'recordId' | 'seq' | 'origin' | 'publisher' | 'payload'> & { readonly stamp: Pick<LogRecord['stamp'], 'wall' | 'trusted'> };

/** What a reader who takes the record into a log of its own goes by. */
export interface RecordPlace {
  /** The topic's record before it: so one is seen to be missing, and is no repeat when it comes late. */
  readonly previous?: number | undefined;
  /** The topic, where its node goes by another name: several topics may share a node. */
  readonly topic?: string | undefined;
}

export function recordElement(record: Published, { previous, topic }: RecordPlace = {}): Element {
  const { stamp, origin } = record;
  const element = xml('record', {
    xmlns: NS_LANPOST,
    id: record.recordId,
    seq: String(origin?.seq ?? record.seq),
    ...(previous === undefined ? {} : { previous: String(previous) }),
    ...(topic === undefined ? {} : { topic }),
    stamp: new Date(stamp.wall).toISOString(),
    // The clock had not been set: order by id, not by time.
    ...(stamp.trusted ? {} : { clock: 'unset' }),
    ...(record.publisher === undefined ? {} : { publisher: record.publisher }),
  });
  if (record.payload) element.append(payloadToElement(record.payload));
  return element;
}

/** What is said around the payload and cannot stand in XML: it would end the stream, and whatever is in flight with it. */
export function unsayableIn({ publisher, payload }: Pick<Published, 'publisher' | 'payload'>): string | undefined {
  return [publisher, payload?.contentType].find((text) => text !== undefined && !isLegal(text));
}

/** The id of the record, or of the pack of records, that an item carries, if it was published so. */
export function recordIdOf(item: Element): string | undefined {
  const record = item.getChild('record', NS_LANPOST) ?? item.getChild('pack', NS_LANPOST);
  return record && attr(record, 'id');
}
