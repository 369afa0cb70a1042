// What waits for the cursors of a home.
import type { Log } from '../log/log.ts';
import type { LogRecord } from '../log/record.ts';

export interface Backlog {
  readonly queued: number;
  /** Of them, those that the home has not acknowledged. */
  readonly left: number;
  /** About. */
  readonly bytes: number;
  readonly oldest: { readonly record: LogRecord; readonly reader: string } | undefined;
}

/** Records not settled, and the oldest of them. */
export async function backlogOf(log: Pick<Log, 'cursors'>, isTheirs: (name: string) => boolean): Promise<Backlog> {
  let queued = 0;
  let bytes = 0;
  let oldest: Backlog['oldest'];
  for (const info of log.cursors()) {
    if (!isTheirs(info.name)) continue;
    queued += await info.pending();
    bytes += await info.bytes();
    const record = await info.oldest();
    if (record && (!oldest || record.seq < oldest.record.seq)) oldest = { record, reader: info.name };
  }
  // Last: what is up by then is counted at once.
  let left = 0;
  for (const info of log.cursors()) if (isTheirs(info.name)) left += await info.left();
  return { queued, left, bytes, oldest };
}
