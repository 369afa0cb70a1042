import type { Loss } from '../log/loss.ts';
import type { Log } from '../log/log.ts';

/** Writes down what the durable reader of that name has not had and never will; its place is for the caller to give up. */
export async function noteUnread(log: Pick<Log, 'cursors' | 'noteLoss' | 'head'>, name: string, reason: Loss['reason']): Promise<void> {
  for (const cursor of log.cursors()) {
    if (cursor.name !== name) continue;
    const count = await cursor.pending();
    if (count > 0) await log.noteLoss({ reader: name, topic: cursor.filter, from: cursor.position + 1, to: log.head, count, reason });
    return;
  }
}
