import { cpSync, rmSync } from 'node:fs';
import { expect } from 'vitest';
import type { Trouble } from '../../src/api.ts';
import { createSystemClock } from '../../src/clock.ts';
import { LevelDatabase } from '../../src/log/level-database.ts';
import { type Log, openLog } from '../../src/log/log.ts';
import type { LogRecord } from '../../src/log/record.ts';
import { auditLog } from './log-audit.ts';
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

/** What does not fit together in a store as it was left: looked at in a copy, so that whoever opens the store next finds all that is to be mended. */
export async function auditLeft(dir: string): Promise<string[]> {
  const copy = `${dir}.left`;
  cpSync(dir, copy, { recursive: true });
  try {
    return await auditLog(copy);
  } finally {
    rmSync(copy, { recursive: true });
  }
}

/** Everything the writers kept, from `from` on. */
export async function kept(log: Log, from: number, filter: string = 'keep/#'): Promise<LogRecord[]> {
  const cursor = await log.cursor({ name: 'check', filter, from: { seq: from }, durable: false });
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
  const wrong: string[] = [];
  for (const { kind, topic, seq, payload } of records) {
    if (kind !== 'publish') wrong.push(`${seq} is a ${kind}`);
    const [ofRun, n] = Buffer.from(payload?.bytes ?? []).toString().split(' ', 2).map(Number);
    if (ofRun !== run || n === undefined) continue;
    if (found.has(n)) wrong.push(`${n} is at ${found.get(n)} and at ${seq}`);
    found.set(n, seq);
    if (n <= (newest.get(topic) ?? 0)) wrong.push(`${n} comes after ${newest.get(topic)} in ${topic}`);
    newest.set(topic, n);
  }
  for (const [n, seq] of acked) if (found.get(n) !== seq) wrong.push(`${n} was acknowledged at ${seq}, and is ${found.has(n) ? `at ${found.get(n)}` : 'not there'}`);
  expect(wrong).toEqual([]);
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
