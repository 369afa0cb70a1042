import { decodeRow, encodeRow } from './cbor.ts';
import type { Op } from './database.ts';
import { META_KEY } from './keys.ts';
import type { LogState } from './state.ts';

/** What the layout of the rows is called; src/log/migration.ts makes older ones into it. */
export const FORMAT = 5;

export interface Meta {
  readonly format: number;
  readonly box: string;
  readonly machine?: string | undefined;
  readonly head: number;
  /** The number that the next topic gets: none is used twice. */
  readonly nextTopic?: number | undefined;
  /** Set by a clean close: up to here everything is known to be whole. */
  readonly clean?: number | undefined;
  /** What time it was, as far as that could be trusted. */
  readonly time?: number | undefined;
}

export function metaOp({ boxId, machine, head, topics, time }: LogState, clean?: number): Op {
  const meta: Meta = { format: FORMAT, box: boxId, head, nextTopic: topics.next, machine, clean, time: time.now() };
  return { key: META_KEY, value: encodeRow(meta) };
}

export function decodeMeta(row: Uint8Array): Meta {
  return decodeRow<Meta>(row);
}
