import { LanpostError } from '../errors.ts';
import type { Log } from '../log/log.ts';
import type { LogRecord } from '../log/record.ts';

/** Which part of a topic's items, oldest first: behind an item, before one (`''`: the last), or from a place on. */
export interface ItemPageRequest {
  readonly max: number;
  readonly after?: string;
  readonly before?: string;
  readonly index?: number;
}

export interface ItemPage {
  readonly records: readonly LogRecord[];
  /** Place of the first among all; undefined when finding it would be too much work. */
  readonly index: number | undefined;
  /** How many there are. */
  readonly count: number;
}

/** A place further in than this is not counted out. */
const COUNTED = 10_000;

/** Positions come from what is asked for, so that no item is left out or comes twice, whatever happens between two pages. */
export async function itemPage(log: Log, topic: string, { max, after, before, index }: ItemPageRequest): Promise<ItemPage> {
  const state = log.topic(topic);
  const count = Math.min(state?.count ?? 0, state?.settings.maxItems ?? Infinity);
  if (index !== undefined && index > COUNTED) throw new LanpostError('unsupported', `places are counted up to ${COUNTED}; ask for what comes after an item`);
  if (max === 0) return { records: [], index: undefined, count };
  const records = before === undefined
    ? await log.items(topic, { after: after === undefined ? 0 : await seqOf(log, topic, after), skip: index ?? 0, limit: max })
    : await log.items(topic, { last: max, ...(before === '' ? {} : { before: await seqOf(log, topic, before) }) });
  const [first] = records;
  return { records, index: index ?? (first && await log.place(topic, first.seq, COUNTED)), count };
}

/** XEP-0059 §2.4: where an item was that is gone is not known. */
async function seqOf(log: Log, topic: string, id: string): Promise<number> {
  const [record] = await log.items(topic, { ids: [id] });
  if (!record) throw new LanpostError('not-found', `topic ${topic} has no item "${id}" any more`);
  return record.seq;
}
