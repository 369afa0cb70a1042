import { crc32 } from 'node:zlib';
import { decodeRow, encodeRow } from '../../src/log/cbor.ts';
import { type Op, type Row, writeSynced } from '../../src/log/database.ts';
import { decodeIndex } from '../../src/log/index-row.ts';
import { META_KEY, PREFIX, prefixRange, putSeq, putU32 } from '../../src/log/keys.ts';
import type { MemoryDatabase } from '../../src/log/memory-database.ts';
import { decodeHeader, type Header, HEADER_BYTES, recordBody, recordCrc } from '../../src/log/record.ts';
import { decodeCommit, encodeCommit } from '../../src/log/window.ts';

const LONGER = 36 - HEADER_BYTES;

/** A record's row as formats up to 3 had it. */
export function longRecord({ kind, topic, previous, wall, mono, trusted, elsewhere }: Header, body: Uint8Array): Uint8Array {
  const row = Buffer.alloc(36 + body.length);
  row.set([1, ['publish', 'retract', 'purge', 'delete', 'configure', 'gap'].indexOf(kind), (trusted ? 1 : 0) | (elsewhere ? 2 : 0)], 4);
  putU32(row, 8, topic);
  putSeq(row, 12, previous);
  putSeq(row, 20, wall);
  putSeq(row, 28, Math.floor(mono * 1000));
  row.set(body, 36);
  putU32(row, 0, crc32(row));
  return row;
}

/** An index row as formats up to 3 had it. */
export function longIndex({ state, item, size, ordinal, id, key }: ReturnType<typeof decodeIndex>): Uint8Array {
  const names = Buffer.from(`${id ?? ''}${key ?? ''}`);
  const length = key === undefined ? [] : [Buffer.alloc(4)];
  if (length[0]) putU32(length[0], 0, Buffer.byteLength(id ?? ''));
  const row = Buffer.concat([Buffer.alloc(14), ...length, names]);
  row.set([['live', 'superseded', 'retracted'].indexOf(state), (item ? 1 : 0) | (id === undefined ? 0 : 2) | (key === undefined ? 0 : 4)]);
  putU32(row, 2, size);
  putSeq(row, 6, ordinal);
  return row;
}

/** Makes a store of today, which nobody has open, one of format 3. */
export async function toFormatThree(database: MemoryDatabase): Promise<void> {
  await database.open();
  const rows = (prefix: number): Promise<Row[]> => database.range({ ...prefixRange(prefix), limit: 1e6 });
  const records = new Map((await rows(PREFIX.record)).map(([key, row]) => [Buffer.from(key).readUIntBE(3, 6), { key, value: longRecord(decodeHeader(row), recordBody(row)) }]));
  const ops: Op[] = [...records.values()];
  const topics = await rows(PREFIX.topic);
  const begins = new Map(topics.map(([key, value]) => [Buffer.from(key).readUInt32BE(1), Number(decodeRow<unknown[]>(value)[2])]));
  const more = new Map<number, { all: number; view: number }>();
  for (const [key, value] of await rows(PREFIX.index)) {
    const index = decodeIndex(value);
    const no = Buffer.from(key).readUInt32BE(1);
    const counted = more.get(no) ?? { all: 0, view: 0 };
    more.set(no, { all: counted.all + LONGER, view: counted.view + (index.item && index.state === 'live' && Buffer.from(key).readUIntBE(7, 6) >= (begins.get(no) ?? 0) ? LONGER : 0) });
    ops.push({ key, value: longIndex({ ...index, size: index.size + LONGER }) });
  }
  for (const [key, value] of topics) {
    const topic = decodeRow<unknown[]>(value);
    const { all, view } = more.get(Buffer.from(key).readUInt32BE(1)) ?? { all: 0, view: 0 };
    ops.push({ key, value: encodeRow(topic.map((field, i) => (i === 6 ? Number(field) + all : i === 10 ? Number(field) + view : field))) });
  }
  for (const row of await rows(PREFIX.commit)) {
    const commit = decodeCommit(row);
    const crcs = Buffer.alloc(4 * commit.count);
    for (let i = 0; i < commit.count; i++) putU32(crcs, 4 * i, recordCrc(records.get(commit.first + i)?.value ?? new Uint8Array(4)));
    ops.push({ key: row[0], value: encodeCommit({ ...commit, crc: crc32(crcs), bytes: commit.bytes + LONGER * commit.count }) });
  }
  // Not as after a clean close: at the next opening everything is checked.
  const meta = decodeRow<object>(await database.get(META_KEY) ?? new Uint8Array());
  await writeSynced(database, [...ops, { key: META_KEY, value: encodeRow({ ...meta, format: 3, clean: undefined }) }]);
  await database.close();
}
