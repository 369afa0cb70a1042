import { decodeBody } from './body.ts';
import type { Database } from './database.ts';
import { type IndexRow, decodeIndex } from './index-row.ts';
import { getSeq, idKey, indexKey, recordKey } from './keys.ts';
import { type Draft, type RecordPayload, recordBody, recordIntact } from './record.ts';
import type { LogState } from './state.ts';
import type { Topic } from './topics.ts';

/** The newest item with an id, before the draft at hand. */
export interface Prior {
  readonly seq: number;
  readonly index: IndexRow;
  readonly payload?: RecordPayload | undefined;
}

/**
 * Under which id an item replaces another: the publisher's, or in the lane `latest` the topic
 * itself. Undefined when nothing is replaced.
 */
export function replacementId(draft: Draft, lane: unknown): string | undefined {
  if (draft.kind === 'retract') return draft.id;
  if (draft.kind !== 'publish') return undefined;
  return draft.id ?? (lane === 'latest' ? '' : undefined);
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
    const id = replacementId(draft, topic.settings.lane);
    if (id !== undefined) wanted.set(priorKey(topic, id), { topic, id });
  }
  if (wanted.size === 0) return priors;
  const found = await findSeqs(state, wanted);
  await readFound(state, found, priors);
  return priors;
}

interface Found {
  readonly name: string;
  readonly topic: Topic;
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
    if (seq !== undefined) found.push({ name, topic, seq, keyed: value !== undefined });
  }
  return found;
}

async function readFound({ database, ring }: LogState, found: Found[], priors: Map<string, Prior>): Promise<void> {
  const onDisk: Found[] = [];
  for (const one of found) {
    const entry = one.keyed ? ring.at(one.seq) : undefined;
    if (!entry) onDisk.push(one);
    else if (entry.topic === one.topic && entry.draft.kind === 'publish') {
      const { bytes: size, ordinal, draft } = entry;
      const id = replacementId(draft, one.topic.settings.lane);
      priors.set(one.name, { seq: one.seq, payload: draft.payload, index: { state: 'live', item: true, size, ordinal, ...(id !== undefined && { id }) } });
    }
  }
  if (onDisk.length > 0) await readRows(database, onDisk, priors);
}

async function readRows(database: Database, found: Found[], priors: Map<string, Prior>): Promise<void> {
  const rows = await database.getMany(found.flatMap(({ topic, seq }) => [indexKey(topic.no, seq), recordKey(seq)]));
  for (const [i, { name, seq }] of found.entries()) {
    const index = rows[2 * i];
    const record = rows[2 * i + 1];
    if (!index) continue;
    priors.set(name, { seq, index: decodeIndex(index), payload: record && recordIntact(record) ? decodeBody(recordBody(record)).payload : undefined });
  }
}
