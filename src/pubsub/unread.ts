import { hasWildcard } from '../log/filter.ts';
import { type Loss, lossesOf } from '../log/loss.ts';
import type { Log } from '../log/log.ts';

/** Writes down what the durable reader of that name has not had and never will; its place is for the caller to give up. */
export async function noteUnread(log: Pick<Log, 'cursors' | 'noteLoss' | 'head'>, name: string, reason: Loss['reason']): Promise<void> {
  for (const cursor of log.cursors()) {
    if (cursor.name !== name) continue;
    const { filter, position } = cursor;
    const count = await cursor.pending();
    if (count === 0) return;
    const found = hasWildcard(filter) ? await cursor.topics() : { others: { from: position + 1, to: log.head, count } };
    await log.noteLoss(...lossesOf(found, filter, found.topics?.length ?? 0, { reader: name, reason }));
    return;
  }
}
