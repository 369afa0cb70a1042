// What an item of a home's node holds for this box: a record of some box, or what anybody else published.
import { isInMemory } from '../../log/memory-seq.ts';
import { parseRecordId } from '../../log/record-id.ts';
import type { Origin, RecordPayload, Stamp } from '../../log/record.ts';
import { elementToPayload, NS_LANPOST } from '../../payload/xml.ts';
import { attr, children, type Element } from '../../xmpp/element.ts';
import { type HomeRecord, recordsOf } from '../pack-element.ts';

export interface HomeItem {
  /** As the node has it; of what is in a pack, the record's. */
  readonly id: string;
  readonly payload: RecordPayload | undefined;
  /** By which a repeat is recognised, on whatever road; without it, by its id and payload alone. */
  readonly origin?: Origin;
  /** Of the record, where it was accepted, if the node goes by another name. */
  readonly topic?: string;
  readonly publisher?: string;
  /** When whoever published it accepted it. */
  readonly stamp?: Pick<Stamp, 'wall' | 'trusted'>;
}

const MAX_TOPIC = 512;
/**
 * Numbers before its own of which a record is believed that none is of its topic. Whoever may publish to a node may
 * make one up: what its box is yet to publish would be taken for repeats, for ever.
 */
const BELIEVED = 2 ** 20;

/** One, or those of a pack; none of what is no item, or names records that cannot be. */
export function readItem(item: Element): HomeItem[] {
  const id = attr(item, 'id');
  const [payload, ...more] = children(item);
  if (id === undefined || more.length > 0) return [];
  if (item.getChild('record', NS_LANPOST)) return recordsOf(item).flatMap((record) => recordItem(id, record));
  // What has an id of its own is in no pack.
  if (item.getChild('pack', NS_LANPOST)) return recordsOf(item).flatMap((record) => recordItem(record.recordId, record));
  const publisher = attr(item, 'publisher');
  return [{ id, payload: payload && elementToPayload(payload), ...(publisher === undefined ? {} : { publisher: `xmpp:${publisher}` }) }];
}

function recordItem(id: string, { recordId, previous, topic, at: wall, trusted, publisher, payload }: HomeRecord): HomeItem[] {
  try {
    const place = parseRecordId(recordId);
    // No home has what is in memory, and of what is on disk none has such a number.
    if (isInMemory(place.seq)) return [];
    const isFar = place.seq - (previous === undefined || previous >= place.seq ? 0 : previous) > BELIEVED;
    const before = isFar ? place.seq - 1 : previous;
    const origin = { ...place, ...(before === undefined ? {} : { previous: before }) };
    return [{
      id, origin, payload, stamp: { wall, trusted },
      ...(publisher === undefined ? {} : { publisher }), ...(topic === undefined || topic.length > MAX_TOPIC ? {} : { topic }),
    }];
  } catch {
    return []; // whoever wrote it made it up
  }
}

/** Its origin as it counts in that topic here: numbers are told apart by the topic that they are of, whatever the node is called. */
export function originIn({ origin, topic }: Pick<HomeItem, 'origin' | 'topic'>, target: { readonly node: string; readonly topic: string }): Origin | undefined {
  const chain = topic ?? target.node;
  return !origin || chain === target.topic ? origin : { ...origin, chain };
}

/** `<item/>` of a record goes by the record's id unless its publisher chose one. */
export function isNamedByRecord({ id, origin }: HomeItem): boolean {
  return origin !== undefined && id === `${origin.box}-${origin.epoch}-${origin.seq}`;
}
