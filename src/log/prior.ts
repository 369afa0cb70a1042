import { decodeBody } from './body.ts';
import type { Database } from './database.ts';
import { type IndexRow, decodeIndex } from './index-row.ts';
import { replaces } from './item-names.ts';
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
      const { bytes: size, ordinal, draft } = entry;
      priors.set(one.name, { seq: one.seq, payload: draft.payload, index: { state: 'live', item: true, size, ordinal, id: one.id } });
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
