import { LanpostError } from '../errors.ts';
import type { Log } from '../log/log.ts';
import type { LogRecord } from '../log/record.ts';
import { itemId } from './delivery.ts';

/** Of one answer: whoever missed more asks for all there is. */
const MOST = 1000;

/**
 * What became of a topic's items behind a position that it had: the newest of each id, and those taken back. Each record
 * names the one before it, so that it is known when one is missing; then nobody can say, and that is said.
 */
export async function changesSince(log: Log, topic: string, version: number): Promise<LogRecord[]> {
  const unknown = (): LanpostError => new LanpostError('not-found', `what changed of ${topic} since ${version} is not known any more`);
  const last = log.topic(topic)?.last ?? 0;
  if (version > last) throw unknown();
  const cursor = await log.cursor({ name: 'changes', filter: topic, from: { seq: version + 1 }, durable: false });
  try {
    const changes = new Map<string, LogRecord>();
    let previous = version;
    for (let read = 0; previous < last; read += 1) {
      const [delivery] = await cursor.next(1);
      const record = delivery?.record;
      if (!record || read >= MOST || record.kind === 'gap' || record.previous !== previous) throw unknown();
      if (record.kind === 'purge' || record.kind === 'delete') throw unknown();
      previous = record.seq;
      cursor.done(record.seq);
      if (record.kind === 'configure') continue;
      changes.delete(itemId(record));
      changes.set(itemId(record), record);
    }
    return [...changes.values()];
  } finally {
    await cursor.close();
  }
}
