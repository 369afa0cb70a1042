// Several records in one item of a home's node: `<pack id='BOX-EPOCH-FIRST..LAST'>` with the `<record/>`s in it, without what the
// pack says of each: box and epoch, and that one follows the other. That is a third of the bytes of a small reading, and of a
// server's time. What reads such a node takes an item for one record or for many.
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

/** One record in a pack. */
export interface Packed {
  readonly seq: number;
  readonly previous: number | undefined;
  /** As XML, but for the record before it. */
  readonly text: string;
}

const BEGIN = '<record';

export function packed(record: LogRecord, { previous, topic }: RecordPlace = {}): Packed {
  const element = recordElement(record, { topic });
  element.setAttrs({ xmlns: undefined, id: undefined });
  return { seq: record.origin?.seq ?? record.seq, previous, text: serialize(element) };
}

/** `BOX-EPOCH-FIRST..LAST`: ids of records of one box and epoch differ only in their last part. */
export function packId(first: string, last: string): string {
  return `${first}..${last.slice(last.lastIndexOf('-') + 1)}`;
}

export function packElement(id: string, records: readonly Packed[]): Element {
  const texts = records.map(({ previous, text }, i) => {
    const implied = records[i - 1]?.seq;
    // Where the record before it is not the one that it follows, or nobody knows: the latter is 0.
    return previous === implied ? text : `${BEGIN} previous='${previous ?? 0}'${text.slice(BEGIN.length)}`;
  });
  return new Written('pack', `<pack xmlns='${NS_LANPOST}' id='${escapeAttribute(id)}' count='${records.length}'>${texts.join('')}</pack>`);
}

/** The records of an item: one, or those of a pack, in the order they were accepted in; none if the item is not a box's. */
export function recordsOf(item: Element): HomeRecord[] {
  const pack = item.getChild('pack', NS_LANPOST);
  if (!pack) return item.getChildren('record', NS_LANPOST).slice(0, 1).flatMap((element) => parseRecord(element, {}) ?? []);
  const prefix = prefixOf(attr(pack, 'id') ?? '');
  let previous: number | undefined;
  return pack.getChildren('record', NS_LANPOST).slice(0, MAX_RECORDS).flatMap((element) => {
    const record = parseRecord(element, { prefix, previous });
    previous = record?.seq;
    return record ?? [];
  });
}

/** Of the ids of a pack's records. */
function prefixOf(id: string): string | undefined {
  const end = id.lastIndexOf('-', id.lastIndexOf('..'));
  return end > 0 ? id.slice(0, end) : undefined;
}

function parseRecord(element: Element, implied: { readonly prefix?: string | undefined; readonly previous?: number | undefined }): HomeRecord | undefined {
  const seq = Number(attr(element, 'seq'));
  const recordId = attr(element, 'id') ?? (implied.prefix === undefined ? undefined : `${implied.prefix}-${seq}`);
  const at = Date.parse(attr(element, 'stamp') ?? '');
  if (recordId === undefined || !Number.isSafeInteger(seq) || seq < 1 || !Number.isFinite(at)) return undefined;
  const [publisher, topic] = [attr(element, 'publisher'), attr(element, 'topic')];
  const previous = Number(attr(element, 'previous') ?? implied.previous ?? Number.NaN);
  const [payload] = children(element);
  return {
    recordId, seq, at, trusted: attr(element, 'clock') !== 'unset',
    ...(Number.isSafeInteger(previous) && previous > 0 && previous < seq ? { previous } : {}), ...(topic === undefined ? {} : { topic }),
    ...(publisher === undefined ? {} : { publisher }), ...(payload ? { payload: elementToPayload(payload) } : {}),
  };
}
