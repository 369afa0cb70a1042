// What a home will never take is put aside, whole, where the owner finds it.
import type { LogRecord } from '../log/record.ts';
import type { Registry } from '../log/registry.ts';

export interface PoisonRow {
  readonly jid: string;
  readonly topic: string;
  readonly recordId: string;
  readonly itemId: string;
  readonly kind: string;
  readonly contentType?: string;
  readonly bytes?: Uint8Array;
  readonly reason: string;
  readonly at: number;
}

/** Rows and bytes per home, all in memory; beyond it the topic is held instead, so that nothing is dropped. */
const MAX_ROWS = 100;
const MAX_BYTES = 4 << 20;

function prefix(jid: string): string {
  return `poison:${jid}:`;
}

/** False: there is no more room to put things aside. */
export async function putAside(registry: Registry, jid: string, record: LogRecord, itemId: string, reason: string, at: number): Promise<boolean> {
  const rows = registry.entries(prefix(jid));
  const { payload } = record;
  const bytes = rows.reduce((sum, [, row]) => sum + bytesOf(row), payload?.bytes.length ?? 0);
  if (rows.length >= MAX_ROWS || bytes > MAX_BYTES) return false;
  const row: PoisonRow = {
    jid, topic: record.topic, recordId: record.recordId, itemId, kind: record.kind, reason, at,
    ...(payload ? { contentType: payload.contentType, bytes: payload.bytes } : {}),
  };
  await registry.set(`${prefix(jid)}${record.seq}`, row);
  return true;
}

function bytesOf(row: unknown): number {
  return typeof row === 'object' && row !== null && 'bytes' in row && row.bytes instanceof Uint8Array ? row.bytes.length : 0;
}

export async function forgetPoison(registry: Registry, jid: string): Promise<void> {
  for (const [key] of registry.entries(prefix(jid))) await registry.set(key, undefined);
}
