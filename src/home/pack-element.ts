// Several records in one item of a home's node: `<pack id='BOX-EPOCH-FIRST..LAST'>` with the `<record/>`s in it, each as it would
// stand alone. What reads such a node takes an item for one record or for many.
import type { LogRecord, RecordPayload } from '../log/record.ts';
import { elementToPayload, NS_LANPOST } from '../payload/xml.ts';
import { attr, children, escapeAttribute, serialize, type Element } from '../xmpp/element.ts';
import { Written } from '../xml/written.ts';
import { recordElement, type RecordPlace } from './record-element.ts';

/** A record as it stands in a home's item. */
export interface HomeRecord extends RecordPlace {
  readonly recordId: string;
  /** Position in the log of the box that accepted it first: the order within that box and its epoch. */
  readonly seq: number;
  /** When that was, ms since 1970. */
  readonly at: number;
  /** That box's clock had been set. */
  readonly trusted: boolean;
  readonly publisher?: string;
  readonly payload?: RecordPayload;
}

/** What an item may hold; more is not ours. */
export const MAX_RECORDS = 2_000;

export function recordText(record: LogRecord, place?: RecordPlace): string {
  return serialize(recordElement(record, place));
}

/** `BOX-EPOCH-FIRST..LAST`: ids of records of one box and epoch differ only in their last part. */
export function packId(first: string, last: string): string {
  return `${first}..${last.slice(last.lastIndexOf('-') + 1)}`;
}

export function packElement(id: string, records: readonly string[]): Element {
  return new Written('pack', `<pack xmlns='${NS_LANPOST}' id='${escapeAttribute(id)}' count='${records.length}'>${records.join('')}</pack>`);
}

/** The records of an item: one, or those of a pack, in the order they were accepted in; none if the item is not a box's. */
export function recordsOf(item: Element): HomeRecord[] {
  const pack = item.getChild('pack', NS_LANPOST);
  const elements = pack ? pack.getChildren('record', NS_LANPOST).slice(0, MAX_RECORDS) : item.getChildren('record', NS_LANPOST).slice(0, 1);
  return elements.flatMap((element) => parseRecord(element) ?? []);
}

function parseRecord(element: Element): HomeRecord | undefined {
  const recordId = attr(element, 'id');
  const seq = Number(attr(element, 'seq'));
  const at = Date.parse(attr(element, 'stamp') ?? '');
  if (recordId === undefined || !Number.isSafeInteger(seq) || seq < 1 || !Number.isFinite(at)) return undefined;
  const [publisher, topic] = [attr(element, 'publisher'), attr(element, 'topic')];
  const previous = Number(attr(element, 'previous') ?? Number.NaN);
  const [payload] = children(element);
  return {
    recordId, seq, at, trusted: attr(element, 'clock') !== 'unset',
    ...(Number.isSafeInteger(previous) && previous > 0 && previous < seq ? { previous } : {}), ...(topic === undefined ? {} : { topic }),
    ...(publisher === undefined ? {} : { publisher }), ...(payload ? { payload: elementToPayload(payload) } : {}),
  };
}
