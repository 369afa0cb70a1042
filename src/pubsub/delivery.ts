import type { Delivery, Gap, Item, Value } from '../api.ts';
import { LanpostError } from '../errors.ts';
import type { GapInfo, LogRecord } from '../log/record.ts';
import { fromPayload, type Payload } from '../payload/payload.ts';
import { ownName } from './mirror.ts';

/** How a delivery is confirmed or given back. */
export interface Handle {
  readonly ack: () => void;
  readonly nack: (options?: { readonly delay?: number }) => void;
}

const NOTHING: Handle = { ack: () => undefined, nack: () => undefined };

/** A record as a reader sees it. `items()` answers carry no handle: there is nothing to confirm. */
export function toDelivery(record: LogRecord, redelivered = false, handle: Handle = NOTHING): Delivery {
  if (record.kind === 'publish') return toItem(record, redelivered, handle);
  const base = {
    topic: ownName(record.topic),
    seq: record.seq,
    recordId: record.recordId,
    time: record.stamp.wall,
    timeTrusted: record.stamp.trusted,
    redelivered,
    ...handle,
  };
  switch (record.kind) {
    case 'retract':
      return { ...base, kind: 'retract', id: itemId(record) };
    case 'gap':
      return { ...base, ...gapOf(record.topic, record.gap) };
    default:
      return { ...base, kind: record.kind };
  }
}

/** Of several topics it names none but in the breakdown. */
function gapOf(topic: string, gap: GapInfo = { from: 0, to: 0, reason: 'unknown' }): Pick<Gap, 'topic' | 'kind' | keyof GapInfo> {
  const topics = gap.topics?.map((one) => ({ ...one, topic: ownName(one.topic) }));
  const only = topics?.length === 1 && gap.count !== undefined && !gap.others ? topics[0]?.topic : undefined;
  // In one topic of a copy a gap of all of them has its place.
  return { kind: 'gap', ...gap, ...(topics && { topics }), topic: only ?? (topics ? '' : ownName(topic)) };
}

/** In one piece: most of what readers get is made here. */
function toItem(record: LogRecord, redelivered: boolean, { ack, nack }: Handle): Item {
  const { seq, recordId, stamp, payload, publisher } = record;
  const item: { -readonly [Key in keyof Item]: Item[Key] } = {
    topic: ownName(record.topic), seq, recordId, time: stamp.wall, timeTrusted: stamp.trusted, redelivered, ack, nack,
    kind: 'item', id: itemId(record), value: payload ? valueOf(payload) : null, contentType: payload?.contentType ?? 'application/json',
  };
  if (publisher !== undefined) item.publisher = publisher;
  return item;
}

/** An item that is no record here. */
export function deliveryOf({ payload, publisher, ...said }: Pick<Item, 'topic' | 'id' | 'recordId' | 'seq' | 'time' | 'timeTrusted' | 'publisher'> & { readonly payload?: Payload }): Item {
  return {
    ...said, ...NOTHING, redelivered: false, kind: 'item', value: payload ? valueOf(payload) : null, contentType: payload?.contentType ?? 'application/json',
    ...(publisher === undefined ? {} : { publisher }),
  };
}

/** A peer's bytes may not be what its media type says: the reader gets them as they are, and what comes after them too. */
function valueOf(payload: Payload): Value {
  try {
    return fromPayload(payload);
  } catch (error) {
    if (error instanceof LanpostError) return Uint8Array.from(payload.bytes);
    throw error;
  }
}

/** The item id a record goes by: the publisher's choice, else the record id. */
export function itemId(record: LogRecord): string {
  return record.id ?? record.recordId;
}
