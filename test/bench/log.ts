import { randomBytes, randomInt } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { createSystemClock } from '../../src/clock.ts';
import { LevelDatabase } from '../../src/log/level-database.ts';
import { type Log, openLog } from '../../src/log/log.ts';
import type { Draft } from '../../src/log/record.ts';
import { inMs, perSecond, type Row } from './figures.ts';

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

/** How long the log takes to open: with nothing in it, and with so many records after a clean close. */
async function opening(records: number): Promise<Row[]> {
  return scratch(async (dir) => {
    const rows: Row[] = [];
    for (const kind of ['empty', `${records} records`]) {
      const start = performance.now();
      const log = await open(dir);
      const took = performance.now() - start;
      rows.push({ what: `log: open, ${kind}`, ours: inMs(took), peer: '', target: '≤ 500 ms', met: took <= 500 });
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
async function draining(records: number): Promise<Row[]> {
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
    return [{ what: 'log: records that a reader who is behind reads from disk', ours: perSecond(rate), peer: '' }];
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
}): Promise<Row[]> {
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
    const amplified = await round(items);
    const rows: Row[] = [{ what: `log: wear, bytes written per byte of an item, 100 in flight, the newest ${kept.toLocaleString('en')} kept, ${what}`, ours: amplified.toFixed(2), peer: '', target: '≤ 5', met: amplified <= 5 }];
    if (seconds > 0) {
      await pause(5000); // what the database still moves around is not these items'
      const before = written();
      for (let i = 0; i < seconds * 10; i++) await Promise.all([log.append(draft()), pause(100)]);
      rows.push({ what: `log: wear, KiB written per item, 10 items/s, ${what}`, ours: ((written() - before) / 1024 / (seconds * 10)).toFixed(1), peer: '' });
    }
    await log.close();
    return rows;
  });
}

async function wears(): Promise<Row[]> {
  const json = { what: '200 B of JSON', payload: reading };
  const random = { what: '200 random bytes, which no table file can pack', payload: (): Uint8Array => randomBytes(200) };
  return [
    ...await wear(json.what, { ...json, kept: 100_000, fill: 300_000, items: 500_000, seconds: 30 }),
    ...await wear(json.what, { ...json, kept: 1000, fill: 200_000, items: 400_000, seconds: 0 }),
    ...await wear(random.what, { ...random, kept: 100_000, fill: 300_000, items: 500_000, seconds: 0 }),
    ...await wear(random.what, { ...random, kept: 1000, fill: 200_000, items: 400_000, seconds: 0 }),
  ];
}

export async function benchLog(): Promise<Row[]> {
  return [...await opening(100_000), ...await draining(50_000), ...await wears()];
}
