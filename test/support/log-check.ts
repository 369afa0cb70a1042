import { expect } from 'vitest';
import type { Trouble } from '../../src/api.ts';
import { createSystemClock } from '../../src/clock.ts';
import { LevelDatabase } from '../../src/log/level-database.ts';
import { type Log, openLog } from '../../src/log/log.ts';
import type { LogRecord } from '../../src/log/record.ts';
import type { Said } from './log-child.ts';

const PAGE = 256;

/** Opens the store a killed writer left; `use` may look at it. Gives the troubles there were. */
export async function withLog<T>(dir: string, use: (log: Log) => Promise<T>): Promise<{ result: T; troubles: Trouble[] }> {
  const troubles: Trouble[] = [];
  const log = await openLog({ database: new LevelDatabase(dir), clock: createSystemClock(), boxId: 'abcdefghijklmnop', trouble: (t) => void troubles.push(t) });
  try {
    return { result: await use(log), troubles };
  } finally {
    await log.close();
  }
}

/** Everything the writers kept, from `from` on. */
export async function kept(log: Log, from: number): Promise<LogRecord[]> {
  const cursor = await log.cursor({ name: 'check', filter: 'keep/#', from: { seq: from }, durable: false });
  const records: LogRecord[] = [];
  for (;;) {
    const page = await cursor.next(PAGE);
    if (page.length === 0) break;
    for (const { record } of page) {
      records.push(record);
      cursor.done(record.seq);
    }
  }
  await cursor.close();
  return records;
}

/** Every acknowledged append is there, at its place, in the order of its topic, once. */
export function checkRound(records: readonly LogRecord[], run: number, acked: ReadonlyMap<number, number>): void {
  const found = new Map<number, number>();
  const newest = new Map<string, number>();
  for (const { kind, topic, seq, payload } of records) {
    expect(kind).toBe('publish');
    const [ofRun, n] = Buffer.from(payload?.bytes ?? []).toString().split(' ').map(Number);
    if (ofRun !== run || n === undefined) continue;
    expect(found.has(n)).toBe(false);
    found.set(n, seq);
    expect(n).toBeGreaterThan(newest.get(topic) ?? 0);
    newest.set(topic, n);
  }
  const missing = [...acked].filter(([n, seq]) => found.get(n) !== seq);
  expect(missing).toEqual([]);
}

/** What else a writer did: its reader gets all that it did not confirm; settings and subscriptions are as they were last said to be. */
export async function checkOthers(log: Log, { confirmed, configured, subscriptions }: Omit<Said, 'acked' | 'refused'>, records: readonly LogRecord[]): Promise<void> {
  for (const [name, last] of subscriptions) {
    const there = log.hasCursor(name);
    if (last === 'made' || last === 'dropped') expect([name, there]).toEqual([name, last === 'made']);
  }
  const settings = log.topic('configured')?.settings.maxItems ?? 0;
  expect([configured, configured + 1]).toContain(settings);
  if (!log.hasCursor('reader')) return;
  const reader = await log.cursor({ name: 'reader', filter: 'keep/#', from: 'start', durable: true });
  const got = new Set<number>();
  let before = 0;
  for (;;) {
    const page = await reader.next(PAGE);
    if (page.length === 0) break;
    for (const { record } of page) {
      expect(record.seq).toBeGreaterThan(before);
      before = record.seq;
      got.add(record.seq);
      reader.done(record.seq);
    }
  }
  await reader.close();
  expect(records.filter(({ seq }) => !got.has(seq) && !confirmed.has(seq)).map(({ seq }) => seq)).toEqual([]);
}
