import type { Delivery } from '../api.ts';
import type { LogRecord } from '../log/record.ts';
import { fromPayload } from '../payload/payload.ts';

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
        value: record.payload ? fromPayload(record.payload) : null,
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

/** The item id a record goes by: the publisher's choice, else the record id. */
export function itemId(record: LogRecord): string {
  return record.id ?? record.recordId;
}

const MIRROR = '$at/';

/** Where a remote topic (or filter) of the box `remote` is kept here. */
export function mirrorName(remote: string, topic: string): string {
  return `${MIRROR}${remote}/${topic}`;
}

/** A mirrored topic goes by the name its owner gave it. */
function ownName(topic: string): string {
  return topic.startsWith(MIRROR) ? topic.slice(topic.indexOf('/', MIRROR.length) + 1) : topic;
}
