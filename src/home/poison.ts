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

/** Rows per home; beyond it the topic is held instead, so that nothing is dropped. */
const MAX_ROWS = 100;

function prefix(jid: string): string {
  return `poison:${jid}:`;
}

/** False: there is no more room to put things aside. */
export async function putAside(registry: Registry, jid: string, record: LogRecord, itemId: string, reason: string, at: number): Promise<boolean> {
  if (registry.entries(prefix(jid)).length >= MAX_ROWS) return false;
  const { payload } = record;
  const row: PoisonRow = {
    jid, topic: record.topic, recordId: record.recordId, itemId, kind: record.kind, reason, at,
    ...(payload ? { contentType: payload.contentType, bytes: payload.bytes } : {}),
  };
  await registry.set(`${prefix(jid)}${record.seq}`, row);
  return true;
}

export async function forgetPoison(registry: Registry, jid: string): Promise<void> {
  for (const [key] of registry.entries(prefix(jid))) await registry.set(key, undefined);
}
