import type { Message, MessageStream } from '../api.ts';
import type { Cursor } from '../log/cursor.ts';
import type { LogRecord } from '../log/record.ts';
import { PullStream } from '../pull-stream.ts';
import { toMessage } from './inbox.ts';

/** Where a reader stands, and what it is shown before that. */
export interface Opening {
  readonly cursor: Cursor;
  readonly first: LogRecord[];
  /** Nobody reads with it any more. */
  readonly left?: () => Promise<void>;
}

/** A reader of incoming messages; asking for the next one confirms the previous one. */
export function messageReader(source: Promise<Opening>, signal?: AbortSignal): MessageStream {
  let previous: number | undefined;
  return new PullStream<Opening, Message>({
    source, signal,

    async next({ cursor, first }, ended) {
      const old = first.shift();
      if (old) return toMessage(old, false, () => undefined);
      if (previous !== undefined) cursor.done(previous);
      previous = undefined;
      while (!ended.aborted) {
        const [next] = await cursor.next(1);
        if (!next) {
          await cursor.wait(ended);
          continue;
        }
        const { record, redelivered } = next;
        if (record.kind !== 'publish') {
          cursor.done(record.seq);
          continue;
        }
        previous = record.seq;
        return toMessage(record, redelivered, () => cursor.done(record.seq));
      }
      return undefined;
    },

    async close({ cursor, left }) {
      if (previous !== undefined) cursor.again(previous, 0);
      await cursor.close();
      await left?.();
    },
  });
}
