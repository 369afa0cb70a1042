import { LanpostError } from '../errors.ts';
import type { Draft, RecordPayload } from './record.ts';

export interface Appended {
  readonly topic: string;
  /** The item's, by which it can be asked for: the one that was chosen, else the record id. */
  readonly id: string;
  readonly seq: number;
  readonly recordId: string;
  /** It was here already. `seq` is 0 when only its origin is known. */
  readonly repeated: boolean;
}

export function appended(seq: number, recordId: string, repeated: boolean, { topic, id = recordId }: Draft): Appended {
  return { topic, id, seq, recordId, repeated };
}

export function notFound({ id, topic }: Draft): LanpostError {
  return new LanpostError('not-found', `There is no item ${id ?? ''} in ${topic}.`);
}

export function samePayload(a: RecordPayload | undefined, b: RecordPayload | undefined): boolean {
  if (!a || !b) return a === b;
  return a.contentType === b.contentType && Buffer.compare(a.bytes, b.bytes) === 0;
}
