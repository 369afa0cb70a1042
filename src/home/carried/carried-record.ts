// A record on its way in a file: what its author would have published, under the id that it has everywhere. Only items that go
// by that id: they are never updated, and some servers (ejabberd 23.01) let nobody but its publisher write over an item.
import { LanpostError } from '../../errors.ts';
import { decodeRow, encodeRow } from '../../log/cbor.ts';
import type { LogRecord } from '../../log/record.ts';
import { parseRecordId } from '../../log/record-id.ts';
import { isLegal } from '../../xmpp/element.ts';
import type { Published, RecordPlace } from '../record-element.ts';

export interface CarriedRecord {
  readonly node: string;
  readonly record: Published;
  readonly place: RecordPlace;
  /** Not published after that, by time that can be trusted; ms since 1970. */
  readonly until?: number;
}

type Row = readonly [node: string, id: string, seq: number, wall: number, trusted: boolean, publisher: string | null, contentType: string, bytes: Uint8Array, previous: number | null, topic: string | null];

const NAME = 1_024;

export function encodeRecord(node: string, record: LogRecord, { previous, topic }: RecordPlace, until?: number): Uint8Array {
  const { recordId, seq, origin, stamp, publisher, payload } = record;
  const row: Row = [node, recordId, origin?.seq ?? seq, stamp.wall, stamp.trusted, publisher ?? null, payload?.contentType ?? '', payload?.bytes ?? new Uint8Array(0), previous ?? null, topic ?? null];
  return encodeRow(until === undefined ? row : [...row, until]);
}

/** Several in one frame: each with its length before it. */
export function framed(records: readonly Uint8Array[]): Buffer {
  return Buffer.concat(records.flatMap((bytes) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    return [length, bytes];
  }));
}

/** Its author has signed it, but what he signs he can make up: all of it is checked. */
export function* unframed(frame: Uint8Array): Generator<CarriedRecord> {
  const bytes = Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength);
  for (let at = 0; at < bytes.length;) {
    if (at + 4 > bytes.length) throw unfit();
    const length = bytes.readUInt32BE(at);
    if (at + 4 + length > bytes.length) throw unfit();
    yield decodeRecord(bytes.subarray(at + 4, at + 4 + length));
    at += 4 + length;
  }
}

function decodeRecord(bytes: Uint8Array): CarriedRecord {
  let row: unknown;
  try {
    row = decodeRow<unknown>(bytes);
  } catch {
    throw unfit();
  }
  if (!Array.isArray(row) || row.length < 10 || row.length > 11) throw unfit();
  const [node, id, seq, wall, trusted, publisher, contentType, payload, previous, topic, until]: unknown[] = row;
  if (!isName(node) || typeof id !== 'string' || !Number.isSafeInteger(seq) || typeof wall !== 'number' || Math.abs(wall) > 8.64e15
    || typeof trusted !== 'boolean' || (publisher !== null && !isName(publisher)) || typeof contentType !== 'string' || !(payload instanceof Uint8Array)
    || (previous !== null && !Number.isSafeInteger(previous)) || (topic !== null && !isName(topic)) || (row.length > 10 && !Number.isSafeInteger(until))) throw unfit();
  parseRecordId(id);
  return {
    node, ...(row.length > 10 ? { until: Number(until) } : {}),
    place: { previous: previous === null ? undefined : Number(previous), topic: topic === null ? undefined : topic },
    record: {
      recordId: id, seq: Number(seq), stamp: { wall, trusted },
      ...(publisher === null ? {} : { publisher }),
      ...(contentType === '' ? {} : { payload: { contentType, bytes: Uint8Array.from(payload) } }),
    },
  };
}

function isName(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && value.length <= NAME && isLegal(value);
}

function unfit(): LanpostError {
  return new LanpostError('corrupt', 'The file holds what is no record.');
}
