import type { FileEvent } from '../../../src/api.ts';

/** How a transfer ended. */
export async function outcome(events: AsyncIterable<FileEvent>): Promise<FileEvent> {
  let last: FileEvent | undefined;
  for await (const event of events) last = event;
  if (!last) throw new Error('nothing was told of the transfer');
  return last;
}

export async function first(events: AsyncIterable<FileEvent>, fits: (event: FileEvent) => boolean = () => true): Promise<FileEvent> {
  for await (const event of events) if (fits(event)) return event;
  throw new Error('the events ended before the one that was waited for');
}

/** The next of that type; the iteration goes on. */
export async function next(events: AsyncIterator<FileEvent>, type: FileEvent['type']): Promise<FileEvent> {
  for (let step = await events.next(); !step.done; step = await events.next()) if (step.value.type === type) return step.value;
  throw new Error(`the events ended before "${type}"`);
}
