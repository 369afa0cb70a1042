// Values across the socket travel as payloads: what a caller may publish, and how it is written
// down, is said in one place, and refused with the same words on both sides of the socket.
import type { Value } from '../api.ts';
import { fromPayload, toPayload, type Payload } from '../payload/payload.ts';
import { isRecord } from './record.ts';
import { ProtocolError } from './wire.ts';

export function packValue(value: Value, contentType?: string): Payload {
  return toPayload(value, contentType);
}

export function unpackValue(packed: unknown): Value {
  if (!isRecord(packed)) throw new ProtocolError('not a value');
  const { contentType, bytes } = packed;
  if (typeof contentType !== 'string' || !(bytes instanceof Uint8Array)) throw new ProtocolError('not a value');
  return fromPayload({ contentType, bytes });
}
