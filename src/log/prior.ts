import { decodeBody } from './body.ts';
import type { Database } from './database.ts';
import { type IndexRow, decodeIndex } from './index-row.ts';
import { replaces } from './item-names.ts';
import { getSeq, idKey, indexKey, recordKey } from './keys.ts';
import { PAGE_RECORDS } from './limits.ts';
import { type Accepted, acceptedOf } from './precedence.ts';
import { decodeHeader, type Draft, type RecordPayload, recordBody, recordIntact } from './record.ts';
import type { LogState } from './state.ts';
import type { Topic } from './topics.ts';

/** The newest item with an id, before the draft at hand. */
export interface Prior {
  readonly seq: number;
  readonly index: IndexRow;
  readonly payload?: RecordPayload | undefined;
  /** Of one that another box accepted first. */
  readonly accepted?: Accepted | undefined;
}

export function priorKey(topic: Topic, id: string): string {
  return `${topic.no}\0${id}`;
}

/** Finds, with two reads for the whole batch, what its drafts with ids replace. */
export async function readPriors(state: LogState, drafts: readonly Draft[]): Promise<Map<string, Prior>> {
  const priors = new Map<string, Prior>();
  const wanted = new Map<string, { topic: Topic; id: string }>();
  for (const draft of drafts) {
    const topic = state.topics.byName.get(draft.topic);
    if (!topic?.stored) continue;
    for (const id of replaces(draft, topic.settings.lane)) wanted.set(priorKey(topic, id), { topic, id });
  }
  if (wanted.size === 0) return priors;
  const found = await findSeqs(state, wanted);
  await readFound(state, found, priors);
  return priors;
}

interface Found {
  readonly name: string;
  readonly topic: Topic;
  readonly id: string;
  readonly seq: number;
  /** Found under its id, and so the newest with it. */
  readonly keyed: boolean;
}

async function findSeqs({ database, epochs }: LogState, wanted: Map<string, { topic: Topic; id: string }>): Promise<Found[]> {
  const list = [...wanted];
  const values = await database.getMany(list.map(([, { topic, id }]) => idKey(topic.no, id)));
  const found: Found[] = [];
  for (const [i, [name, { topic, id }]] of list.entries()) {
    const value = values[i];
    // An item whose publisher chose no id goes by its record id.
    const seq = value ? getSeq(value, 0) : epochs.seqOf(id);
    if (seq !== undefined) found.push({ name, topic, id, seq, keyed: value !== undefined });
  }
  return found;
}

async function readFound({ database, ring }: LogState, found: Found[], priors: Map<string, Prior>): Promise<void> {
  const onDisk: Found[] = [];
  for (const one of found) {
    const entry = one.keyed ? ring.at(one.seq) : undefined;
    // One with a key may have been published when the lane knew none, and what is over at some time may have been prolonged: the disk tells.
    if (!entry || entry.draft.key !== undefined || entry.draft.expires !== undefined) onDisk.push(one);
    else if (entry.topic === one.topic && entry.draft.kind === 'publish') {
      const { bytes: size, ordinal, draft, stamp } = entry;
      priors.set(one.name, { seq: one.seq, payload: draft.payload, accepted: acceptedOf(draft, stamp), index: { state: 'live', item: true, size, ordinal, id: one.id } });
    }
  }
  if (onDisk.length > 0) await readRows(database, onDisk, priors);
}

/** What is in view of the topic, without the payloads. */
export async function readView({ database }: LogState, topic: Topic): Promise<Prior[]> {
  const view: Prior[] = [];
  for (let from = topic.viewFrom; ;) {
    const rows = await database.range({ gte: indexKey(topic.no, from), lte: indexKey(topic.no, topic.last), limit: PAGE_RECORDS });
    const live = rows.map(([key, value]) => ({ seq: getSeq(key, 5), index: decodeIndex(value) })).filter(({ index: { item, state } }) => item && state === 'live');
    const records = await database.getMany(live.map(({ seq }) => recordKey(seq)));
    for (const [i, one] of live.entries()) view.push({ ...one, accepted: readRecord(records[i]).accepted });
    const last = rows.at(-1);
    if (!last || rows.length < PAGE_RECORDS) return view;
    from = getSeq(last[0], 5) + 1;
  }
}

function readRecord(record: Uint8Array | undefined): Pick<Prior, 'payload' | 'accepted'> {
  if (!record || !recordIntact(record)) return {};
  const body = decodeBody(recordBody(record));
  return { payload: body.payload, accepted: body.origin && acceptedOf(body, decodeHeader(record)) };
}

async function readRows(database: Database, found: Found[], priors: Map<string, Prior>): Promise<void> {
  const rows = await database.getMany(found.flatMap(({ topic, seq }) => [indexKey(topic.no, seq), recordKey(seq)]));
  for (const [i, { name, seq }] of found.entries()) {
    const index = rows[2 * i];
    const record = rows[2 * i + 1];
    if (!index) continue;
    priors.set(name, { seq, index: decodeIndex(index), ...readRecord(record) });
  }
}
