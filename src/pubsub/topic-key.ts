import { createHash } from 'node:crypto';
import type { Value } from '../api.ts';
import { LanpostError } from '../errors.ts';
import { fromPayload, type Payload } from '../payload/payload.ts';

/** A longer one goes by its hash: a key is part of a row's name on disk. */
const MOST_BYTES = 256;

/**
 * The key of an item in the lane `latest`: what its value has at the topic's JSON pointer (RFC 6901). A number and a
 * text that look alike are two keys. Worked out here and handed to the log, which knows no media types.
 */
export function keyOf(topic: string, pointer: string, payload: Payload | undefined): string {
  const found = payload && at(fromPayload(payload), pointer);
  if (typeof found !== 'string' && typeof found !== 'number' && typeof found !== 'boolean') {
    throw new LanpostError('invalid-value', `${topic} keeps the newest item of each ${pointer}, and this one has no text, number or boolean there`);
  }
  const key = JSON.stringify(found);
  return Buffer.byteLength(key) <= MOST_BYTES ? key : createHash('sha256').update(key).digest('hex');
}

function at(value: Value, pointer: string): unknown {
  let now: unknown = value;
  for (const part of pointer.split('/').slice(1)) {
    const name = part.replaceAll('~1', '/').replaceAll('~0', '~');
    if (typeof now !== 'object' || now === null || ArrayBuffer.isView(now) || !Object.hasOwn(now, name)) return undefined;
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- an object or an array, by name or by index (RFC 6901 §4)
    now = (now as Record<string, unknown>)[name];
  }
  return now;
}
