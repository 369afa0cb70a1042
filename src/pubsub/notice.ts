import type { GapRange } from '../api.ts';
import { LostTally, type LostTopics } from '../log/lost-topics.ts';
import type { GapInfo, LogRecord, RecordKind } from '../log/record.ts';
import type { Payload } from '../payload/payload.ts';
import { itemId } from './delivery.ts';

/** One thing that happened to a topic, as it is told to readers on a road. */
export interface Notice {
  readonly kind: RecordKind;
  /** Minted where it was first accepted; unchanged on every road. */
  readonly recordId: string;
  /** Wall time of its acceptance there, milliseconds since 1970. */
  readonly time: number;
  /** Position of the topic's record before it, in the same epoch of the same box, when that is known. */
  readonly previous?: number;
  /** Of an item or a retraction. */
  readonly id?: string;
  readonly payload?: Payload;
  readonly publisher?: string;
  readonly gap?: GapInfo;
  /** Of a deletion: where the topic is from then on, as a URI. */
  readonly redirect?: string;
}

/** Of a gap as another box tells it: it names no more topics than one of this box does. */
export function lostTopics(lost: readonly (GapRange & { readonly topic: string | undefined })[]): LostTopics {
  const tally = new LostTally();
  for (const { topic, from, to, count } of lost) tally.add(topic, from, to, count);
  return tally.found;
}

export function noticeOf(record: LogRecord, previous?: number): Notice {
  const { kind, recordId, payload, publisher, gap, extra } = record;
  const notice: { -readonly [K in keyof Notice]: Notice[K] } = { kind, recordId, time: record.stamp.wall };
  if (previous !== undefined) notice.previous = previous;
  if (kind === 'publish' || kind === 'retract') notice.id = itemId(record);
  if (payload !== undefined) notice.payload = payload;
  if (publisher !== undefined) notice.publisher = publisher;
  if (gap !== undefined) notice.gap = gap;
  if (kind === 'delete' && typeof extra === 'object' && extra !== null && 'redirect' in extra) notice.redirect = String(extra.redirect);
  return notice;
}
