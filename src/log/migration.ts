// Older layouts become today's in place. Each step may be cut off anywhere and is then done again: what it
// has changed already it leaves alone, and the format is raised only after the whole of it.
import { decodeRow, encodeRow } from './cbor.ts';
import { type Database, type Op, type Row, writeSynced } from './database.ts';
import { matches } from './filter.ts';
import { decodeIndex } from './index-row.ts';
import { META_KEY, PREFIX, asideKey, cursorKey, getSeq, getU32, heldCursorKey, indexKey, keyText, prefixRange, recordKey, registryKey, subscriptionKey } from './keys.ts';
import { FORMAT, type Meta } from './meta.ts';

const PAGE = 256;

type Step = (database: Database) => Promise<void>;

/** From each format to the next. */
const STEPS: Readonly<Record<number, Step>> = { 1: childRows, 2: viewBytes, 3: asTheyAre, 4: asTheyAre };

/** Rows are at most of the format that is given back. */
export async function migrate(database: Database, meta: Meta): Promise<Meta> {
  let now = meta;
  while (now.format < FORMAT) {
    await STEPS[now.format]?.(database);
    now = { ...now, format: now.format + 1 };
    await writeSynced(database, [{ key: META_KEY, value: encodeRow(now) }]);
  }
  return now;
}

async function* rows(database: Database, prefix: number): AsyncIterableIterator<Row> {
  const { gte, lt } = prefixRange(prefix);
  let page = await database.range({ gte, lt, limit: PAGE });
  while (page.length > 0) {
    yield* page;
    page = await database.range({ gt: page.at(-1)![0], lt, limit: PAGE });
  }
}

/**
 * Records and index rows of format 3 are longer, index rows of format 4 do not say when an item is over: they are read as they are,
 * until they go, and only the format says that others may follow.
 */
async function asTheyAre(): Promise<void> {
  // Nothing to change: an older lanpost must refuse the store from here on.
}

/** Format 2 did not say how many bytes the view of a topic has: the tenth place of its row. */
async function viewBytes(database: Database): Promise<void> {
  for await (const [key, value] of rows(database, PREFIX.topic)) {
    const row = decodeRow<unknown[]>(value);
    if (row[10] !== undefined) continue;
    const no = getU32(key, 1);
    let bytes = 0;
    let from = indexKey(no, Number(row[2]));
    for (;;) {
      const page = await database.range({ gte: from, lt: indexKey(no + 1, 0), limit: PAGE });
      for (const [, index] of page) {
        const { item, state, size } = decodeIndex(index);
        if (item && state === 'live') bytes += size;
      }
      const last = page.at(-1);
      if (!last || page.length < PAGE) break;
      from = indexKey(no, getSeq(last[0], 5) + 1);
    }
    await writeSynced(database, [{ key, value: encodeRow([...row.slice(0, 9), row[9] ?? 0, bytes]) }]);
  }
}

/**
 * Format 1 had a whole subscription for each topic that a home held back, and kept what a home would not
 * take in the registry. Both become rows of the subscription that the topic belongs to.
 */
async function childRows(database: Database): Promise<void> {
  const filters = new Map<string, string>();
  for await (const [key, value] of rows(database, PREFIX.subscription)) filters.set(keyText(key), decodeRow<[string]>(value)[0]);
  const parentOf = (jid: string, topic: string): string | undefined => [...filters].find(([name, filter]) => name === `home:${jid} ${filter}` && matches(filter, topic))?.[0];
  for (const [name, topic] of filters) {
    const [, jid] = /^home-held:(\S+) /.exec(name) ?? [];
    if (jid === undefined) continue;
    const place = await database.get(cursorKey(name));
    const parent = parentOf(jid, topic);
    const moved: Op[] = parent === undefined || !place ? [] : [{ key: heldCursorKey(parent, topic), value: encodeRow([0, ...decodeRow<number[]>(place)]) }];
    await writeSynced(database, [...moved, { key: subscriptionKey(name) }, { key: cursorKey(name) }]);
  }
  for await (const [key, value] of rows(database, PREFIX.registry)) {
    const [, jid, seq] = /^poison:(\S+):(\d+)$/.exec(keyText(key)) ?? [];
    if (jid === undefined) continue;
    const { topic, recordId, itemId, reason, at } = decodeRow<Record<string, unknown>>(value);
    const parent = parentOf(jid, String(topic));
    // Without its record the registry has the only copy: it stays.
    if (parent === undefined || !await database.get(recordKey(Number(seq)))) continue;
    await writeSynced(database, [{ key: asideKey(parent, Number(seq)), value: encodeRow({ recordId, itemId, reason, at }) }, { key: registryKey(keyText(key)) }]);
  }
}
