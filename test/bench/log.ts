import { randomBytes, randomInt } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { createSystemClock } from '../../src/clock.ts';
import { encodeIndex } from '../../src/log/index-row.ts';
import { indexKey, recordKey, topicKey } from '../../src/log/keys.ts';
import { LevelDatabase } from '../../src/log/level-database.ts';
import { type Log, openLog } from '../../src/log/log.ts';
import { encodeBody } from '../../src/log/body.ts';
import { type Draft, encodeRecord } from '../../src/log/record.ts';
import { copyTopic, encodeTopic } from '../../src/log/topics.ts';
import { type Op, writeSynced } from '../../src/log/database.ts';

export interface BenchRow {
  readonly name: string;
  readonly value: string;
  readonly ratio?: number;
  readonly target?: string;
}

const BOX = 'abcdefghijklmnop';
const TOPIC = 'bench/topic';
const BODY = Buffer.from(JSON.stringify({ sensor: 'boiler', value: 21.5, unit: 'Cel', at: 1_700_000_000_000, ok: true, note: 'x'.repeat(16) }));
const DRAFT: Draft = { topic: TOPIC, kind: 'publish', payload: { contentType: 'application/json', bytes: BODY } };

async function scratch<T>(use: (dir: string) => Promise<T>): Promise<T> {
  const dir = await mkdtemp(join(tmpdir(), 'lanpost-bench-'));
  try {
    return await use(dir);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

function open(dir: string): Promise<Log> {
  return openLog({ database: new LevelDatabase(dir), clock: createSystemClock(), boxId: BOX, trouble: () => {} });
}

/** Acked appends per second with so many in flight. */
async function appends(log: Log, inFlight: number, ms: number): Promise<number> {
  const end = performance.now() + ms;
  const start = performance.now();
  let acked = 0;
  await Promise.all(Array.from({ length: inFlight }, async () => {
    while (performance.now() < end) {
      await log.append(DRAFT);
      acked++;
    }
  }));
  return (acked * 1000) / (performance.now() - start);
}

/** The same rows in a bare loop of synced batches of that size. */
async function bare(database: LevelDatabase, size: number, ms: number, from: number): Promise<{ rate: number; seq: number }> {
  const start = performance.now();
  let seq = from;
  while (performance.now() - start < ms) {
    const ops: Op[] = [];
    for (let i = 0; i < size; i++) {
      seq++;
      const row = encodeRecord({ kind: 'publish', topic: 1, previous: seq - 1, wall: Date.now(), mono: performance.now(), trusted: true }, encodeBody(DRAFT));
      ops.push({ key: recordKey(seq), value: row }, { key: indexKey(1, seq), value: encodeIndex({ state: 'live', item: true, size: row.length, ordinal: seq }) });
    }
    ops.push({ key: topicKey(1), value: encodeTopic(TOPIC, copyTopic({ no: 1, name: TOPIC, settings: {}, viewFrom: 0, first: 1, last: seq, count: seq, viewBytes: seq, bytes: seq, ordinal: seq, deleted: false, ended: 0, precedes: () => false, replaced: 0 })) });
    await writeSynced(database, ops);
  }
  return { rate: ((seq - from) * 1000) / (performance.now() - start), seq };
}

async function rates(rounds: number, ms: number): Promise<BenchRow[]> {
  return scratch((dir) => scratch(async (bareDir) => {
    const log = await open(dir);
    const database = new LevelDatabase(bareDir);
    await database.open();
    const rows: BenchRow[] = [];
    let seq = 0;
    for (const inFlight of [1, 100, 1000]) {
      const ours: number[] = [];
      const theirs: number[] = [];
      for (let round = 0; round < rounds; round++) {
        ours.push(await appends(log, inFlight, ms));
        const one = await bare(database, inFlight, ms, seq);
        seq = one.seq;
        theirs.push(one.rate);
      }
      const ratio = median(ours.map((our, i) => our / (theirs[i] ?? 1)));
      const value = `${Math.round(median(ours))} acked/s (bare loop ${Math.round(median(theirs))})`;
      rows.push({ name: `log: durable appends, ${inFlight} in flight`, value, ratio, ...(inFlight > 1 && { target: '>= 0.6' }) });
    }
    await log.close();
    await database.close();
    return rows;
  }));
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

/** How long the log takes to open with so many records; after a clean close, and after none. */
async function opening(records: number): Promise<BenchRow[]> {
  return scratch(async (dir) => {
    const rows: BenchRow[] = [];
    for (const kind of ['empty', `${records} records`]) {
      const start = performance.now();
      const log = await open(dir);
      rows.push({ name: `log: open, ${kind}`, value: `${Math.round(performance.now() - start)} ms`, target: '<= 500 ms' });
      if (kind === 'empty') {
        await log.append({ topic: TOPIC, kind: 'configure', config: { maxItems: records } });
        for (let i = 0; i < records; i += 1000) await Promise.all(Array.from({ length: 1000 }, () => log.append(DRAFT)));
      }
      await log.close();
    }
    return rows;
  });
}

/** Records per second for one reader that starts at the beginning. */
async function draining(records: number): Promise<BenchRow[]> {
  return scratch(async (dir) => {
    const log = await open(dir);
    await log.append({ topic: TOPIC, kind: 'configure', config: { maxItems: records } });
    for (let i = 0; i < records; i += 1000) await Promise.all(Array.from({ length: 1000 }, () => log.append(DRAFT)));
    const cursor = await log.cursor({ name: 'bench', filter: '#', from: 'start', durable: true });
    const start = performance.now();
    let read = 0;
    while (read <= records) {
      for (const { record } of await cursor.next(256)) {
        cursor.done(record.seq);
        read++;
      }
    }
    const rate = (read * 1000) / (performance.now() - start);
    await log.close();
    return [{ name: 'log: catching up from disk', value: `${Math.round(rate)} records/s` }];
  });
}

/** Bytes that this process has had written to the disk. */
function written(): number {
  return Number(/^write_bytes: (\d+)/m.exec(readFileSync('/proc/self/io', 'utf8'))?.[1]);
}

/** 200 bytes as a sensor says them, no two alike. */
function reading(n: number): Uint8Array {
  const value = { sensor: `boiler/${n % 40}/temperature`, value: randomInt(100_000) / 1000, unit: 'Cel', at: 1_700_000_000_000 + n * 137, quality: 'good', battery: randomInt(1000) / 10 };
  return Buffer.from(JSON.stringify(value).padEnd(200));
}

/** What a flash card has to bear: a topic that keeps its newest items, as fast as it goes; and, if asked for, at ten items a second. */
async function wear(what: string, { kept, fill, items, seconds, payload }: {
  readonly kept: number; readonly fill: number; readonly items: number; readonly seconds: number; readonly payload: (n: number) => Uint8Array;
}): Promise<BenchRow[]> {
  return scratch(async (dir) => {
    const log = await open(dir);
    await log.append({ topic: TOPIC, kind: 'configure', config: { maxItems: kept } });
    let made = 0;
    const draft = (): Draft => ({ topic: TOPIC, kind: 'publish', payload: { contentType: 'application/json', bytes: payload(made++) } });
    const round = async (count: number): Promise<number> => {
      const before = written();
      let left = count;
      await Promise.all(Array.from({ length: 100 }, async () => {
        while (left-- > 0) await log.append(draft());
      }));
      return (written() - before) / (count * 200);
    };
    // Until as much goes as comes.
    await round(fill);
    const rows: BenchRow[] = [{ name: `log: wear, bytes written per byte of an item, 100 in flight, the newest ${kept.toLocaleString('en')} kept, ${what}`, value: (await round(items)).toFixed(2), target: '<= 5' }];
    if (seconds > 0) {
      await pause(5000); // what the database still moves around is not these items'
      const before = written();
      for (let i = 0; i < seconds * 10; i++) await Promise.all([log.append(draft()), pause(100)]);
      rows.push({ name: `log: wear, KiB written per item, 10 items/s, ${what}`, value: ((written() - before) / 1024 / (seconds * 10)).toFixed(1) });
    }
    await log.close();
    return rows;
  });
}

async function wears(): Promise<BenchRow[]> {
  const json = { what: '200 B of JSON', payload: reading };
  const random = { what: '200 random bytes, which no table file can pack', payload: (): Uint8Array => randomBytes(200) };
  return [
    ...await wear(json.what, { ...json, kept: 100_000, fill: 300_000, items: 500_000, seconds: 30 }),
    ...await wear(json.what, { ...json, kept: 1000, fill: 200_000, items: 400_000, seconds: 0 }),
    ...await wear(random.what, { ...random, kept: 100_000, fill: 300_000, items: 500_000, seconds: 0 }),
    ...await wear(random.what, { ...random, kept: 1000, fill: 200_000, items: 400_000, seconds: 0 }),
  ];
}

export async function benchLog(): Promise<BenchRow[]> {
  return [...await rates(3, 1500), ...await opening(100_000), ...await draining(50_000), ...await wears()];
}
