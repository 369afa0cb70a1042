import type { Delivery, Value } from '../api.ts';
import { LanpostError } from '../errors.ts';
import type { LogRecord } from '../log/record.ts';
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
    case 'publish':
      return {
        ...base,
        kind: 'item',
        id: itemId(record),
        value: record.payload ? valueOf(record.payload) : null,
        contentType: record.payload?.contentType ?? 'application/json',
        ...(record.publisher === undefined ? {} : { publisher: record.publisher }),
      };
    case 'retract':
      return { ...base, kind: 'retract', id: itemId(record) };
    case 'gap':
      return { ...base, kind: 'gap', from: 0, to: 0, reason: 'unknown', ...record.gap };
    default:
      return { ...base, kind: record.kind };
  }
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
