import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Trouble } from '../../src/api.ts';
import { type TestClock, createSystemClock, createTestClock } from '../../src/clock.ts';
import type { Cursor } from '../../src/log/cursor.ts';
import { LevelDatabase } from '../../src/log/level-database.ts';
import { type Log, type LogOptions, openLog } from '../../src/log/log.ts';
import { MemoryDatabase } from '../../src/log/memory-database.ts';
import type { Draft } from '../../src/log/record.ts';

const closing: (() => Promise<void>)[] = [];

export async function closeAll(): Promise<void> {
  for (const close of closing.splice(0).toReversed()) await close();
}

export async function store(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'lanpost-log-'));
  closing.push(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

export const BOX = 'abcdefghijklmnop';

export async function open(dir: string, more: Partial<LogOptions> = {}): Promise<Log> {
  const log = await openLog({ database: new LevelDatabase(dir), clock: createSystemClock(), boxId: BOX, trouble: () => {}, ...more });
  closing.push(() => log.close());
  return log;
}

export interface Bench {
  readonly log: Log;
  readonly database: MemoryDatabase;
  readonly clock: TestClock;
  readonly troubles: Trouble[];
}

export async function openMemory(more: Partial<Omit<LogOptions, 'database' | 'clock'>> & { database?: MemoryDatabase } = {}): Promise<Bench> {
  const database = more.database ?? new MemoryDatabase();
  const clock = createTestClock();
  const troubles: Trouble[] = [];
  const log = await openLog({ boxId: BOX, trouble: (t) => void troubles.push(t), ...more, database, clock });
  closing.push(() => log.close());
  return { log, database, clock, troubles };
}

export function item(topic: string, text: string, more: Partial<Draft> = {}): Draft {
  return { topic, kind: 'publish', payload: { contentType: 'text/plain', bytes: Buffer.from(text) }, ...more };
}

/** Reads and, unless told otherwise, confirms; a star marks what came again. */
export async function texts(cursor: Cursor, count: number, confirm: boolean = true): Promise<string[]> {
  const found: string[] = [];
  while (found.length < count) {
    const page = await cursor.next(count - found.length);
    if (page.length === 0) {
      const signal = AbortSignal.timeout(5000);
      await cursor.wait(signal);
      if (signal.aborted) throw new Error(`only ${found.join(' ')} came`);
    }
    for (const { record, redelivered } of page) {
      const text = record.payload ? Buffer.from(record.payload.bytes).toString() : record.kind;
      found.push(redelivered ? `${text}*` : text);
      if (confirm) cursor.done(record.seq);
    }
  }
  return found;
}
