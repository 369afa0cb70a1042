import type { Database, Row } from '../../src/log/database.ts';
import { LevelDatabase } from '../../src/log/level-database.ts';
import { decodeRow } from '../../src/log/cbor.ts';
import { decodeIndex } from '../../src/log/index-row.ts';
import { namesOf } from '../../src/log/item-names.ts';
import { PREFIX, getSeq, getU32, indexKey, prefixRange, recordKey } from '../../src/log/keys.ts';
import { recordIntact, recordTopic } from '../../src/log/record.ts';

const PAGE = 1000;

/** What stands under those keys, in the order of these rows. */
async function* joined(database: Database, prefix: number, keyOf: (row: Row) => Uint8Array): AsyncIterableIterator<[Row, Uint8Array | undefined]> {
  let some: Row[] = [];
  async function* flush(): AsyncIterableIterator<[Row, Uint8Array | undefined]> {
    const found = await database.getMany(some.map((row) => keyOf(row)));
    for (const [i, row] of some.entries()) yield [row, found[i]];
    some = [];
  }
  for await (const row of rows(database, prefix)) if (some.push(row) >= 200) yield* flush();
  yield* flush();
}

async function* rows(database: Database, prefix: number): AsyncIterableIterator<Row> {
  const { gte, lt } = prefixRange(prefix);
  let page = await database.range({ gte, lt, limit: PAGE });
  while (page.length > 0) {
    yield* page;
    page = await database.range({ gt: page.at(-1)![0], lt, limit: PAGE });
  }
}

interface Counted { first: number; last: number; count: number; viewBytes: number; bytes: number; ordinal: number }

export const auditLog = (dir: string): Promise<string[]> => audit(new LevelDatabase(dir));

/** What does not fit together in a store that nobody has open: every row is read and compared with those it belongs to. */
export async function audit(database: Database): Promise<string[]> {
  await database.open();
  try {
    const wrong: string[] = [];
    const topics = new Map<number, [name: string, settings: unknown, viewFrom: number, first: number, last: number, count: number, bytes: number, ordinal: number, deleted: boolean, replaced: number, viewBytes: number]>();
    for await (const [key, value] of rows(database, PREFIX.topic)) topics.set(getU32(key, 1), decodeRow(value));
    const counted = new Map<number, Counted>();
    for await (const [[key, value], record] of joined(database, PREFIX.index, ([of]) => recordKey(getSeq(of, 5)))) {
      const no = getU32(key, 1);
      const seq = getSeq(key, 5);
      const index = decodeIndex(value);
      if (!record) wrong.push(`record ${seq} of topic ${no} is missing`);
      else if (!recordIntact(record) || recordTopic(record) !== no || record.length !== index.size) wrong.push(`record ${seq} is not what its index says`);
      if (no === 0) continue;
      const topic = topics.get(no);
      const sum = counted.get(no) ?? { first: seq, last: seq, count: 0, viewBytes: 0, bytes: 0, ordinal: 0 };
      const inView = index.item && index.state === 'live' && seq >= (topic?.[2] ?? 0);
      if (index.ordinal <= sum.ordinal) wrong.push(`record ${seq} is number ${index.ordinal} after ${sum.ordinal}`);
      counted.set(no, { first: sum.first, last: seq, bytes: sum.bytes + index.size, ordinal: index.ordinal, count: sum.count + (inView ? 1 : 0), viewBytes: sum.viewBytes + (inView ? index.size : 0) });
    }
    for await (const [[key], index] of joined(database, PREFIX.record, ([of, row]) => indexKey(recordTopic(row), getSeq(of, 1)))) {
      if (!index) wrong.push(`record ${getSeq(key, 1)} has no index row`);
    }
    for await (const [[key, value], row] of joined(database, PREFIX.id, ([of, seq]) => indexKey(getU32(of, 1), getSeq(seq, 0)))) {
      if (!row || !namesOf(decodeIndex(row)).includes(Buffer.from(key.subarray(5)).toString())) wrong.push(`an id of topic ${getU32(key, 1)} names ${getSeq(value, 0)}`);
    }
    for (const [no, [name, , , first, last, count, bytes, ordinal, , , viewBytes]] of topics) {
      const sum = counted.get(no) ?? { first, last, count: 0, viewBytes: 0, bytes: 0, ordinal };
      const said = JSON.stringify({ count, viewBytes, bytes });
      if (said !== JSON.stringify({ count: sum.count, viewBytes: sum.viewBytes, bytes: sum.bytes })) wrong.push(`${name} says ${said}, has ${JSON.stringify({ count: sum.count, viewBytes: sum.viewBytes, bytes: sum.bytes })}`);
      if (first > sum.first || last < sum.last || ordinal < sum.ordinal) wrong.push(`${name} says it goes from ${first} to ${last} (${ordinal}), it does from ${sum.first} to ${sum.last} (${sum.ordinal})`);
    }
    for (const no of counted.keys()) if (!topics.has(no)) wrong.push(`topic ${no} has records and no name`);
    return wrong;
  } finally {
    await database.close();
  }
}
