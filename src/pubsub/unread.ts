import { hasWildcard } from '../log/filter.ts';
import { type Loss, lossesOf } from '../log/loss.ts';
import type { Log } from '../log/log.ts';

/** Writes down what the durable reader of that name has not had and never will; its place is for the caller to give up. `pooled`: see `Loss`. */
export async function noteUnread(log: Pick<Log, 'cursors' | 'noteLoss' | 'head'>, name: string, reason: Loss['reason'], pooled: boolean = false): Promise<void> {
  for (const cursor of log.cursors()) {
    if (cursor.name !== name) continue;
    const { filter, position } = cursor;
    const count = await cursor.pending();
    if (count === 0) return;
    const found = hasWildcard(filter) ? await cursor.topics() : { others: { from: position + 1, to: log.head, count } };
    const losses = lossesOf(found, filter, found.topics?.length ?? 0, { reader: name, reason });
    await log.noteLoss(...Array.from(losses, (loss) => ({ ...loss, pooled })));
    return;
  }
}
