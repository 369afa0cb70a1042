// What waits for the cursors of a home.
import type { CursorInfo } from '../log/cursor-info.ts';
import type { Log } from '../log/log.ts';
import type { LogRecord } from '../log/record.ts';

export interface Backlog {
  readonly queued: number;
  /** Of them, those that the home has not acknowledged. */
  readonly left: number;
  /** About. */
  readonly bytes: number;
  /** Of those that the home has not acknowledged; else of those that have not settled. */
  readonly oldest: { readonly record: LogRecord; readonly reader: string } | undefined;
  /** Put aside: not queued. */
  readonly poison: number;
}

/** Records not settled, the oldest of those that wait, and how many were put aside. */
export async function backlogOf(log: Pick<Log, 'cursors'>, isTheirs: (name: string) => boolean): Promise<Backlog> {
  let [queued, bytes, poison] = [0, 0, 0];
  for (const info of log.cursors()) {
    if (!isTheirs(info.name)) continue;
    queued += await info.pending();
    bytes += await info.bytes();
    poison += info.asides;
  }
  const oldest = await oldestOf(log, isTheirs, (info) => info.oldestLeft()) ?? await oldestOf(log, isTheirs, (info) => info.oldest());
  // Last: what is up by then is counted at once.
  let left = 0;
  for (const info of log.cursors()) if (isTheirs(info.name)) left += await info.left();
  return { queued, left, bytes, oldest, poison };
}

async function oldestOf(log: Pick<Log, 'cursors'>, isTheirs: (name: string) => boolean, of: (info: CursorInfo) => Promise<LogRecord | undefined>): Promise<Backlog['oldest']> {
  let oldest: Backlog['oldest'];
  for (const info of log.cursors()) {
    const record = isTheirs(info.name) ? await of(info) : undefined;
    if (record && (!oldest || record.seq < oldest.record.seq)) oldest = { record, reader: info.name };
  }
  return oldest;
}
