import type { Message, TrustLevel } from '../api.ts';
import { LanpostError } from '../errors.ts';
import type { Log, LogRecord, Origin } from '../log/log.ts';

/** Messages whose sender's key is known, and those of peers without one: the latter share a small, bounded box. */
const KNOWN = '$inbox/known';
const STRANGERS = '$inbox/strangers';
export const INBOX = '$inbox/#';

/** What strangers may pin on disk while a named reader is away. */
const STRANGERS_BYTES = 8 * 1024 * 1024;
/** How many messages a latecomer can still ask for. */
const VIEW = { known: 1000, strangers: 20 };

export interface Incoming {
  /** `link:NAME` or `xmpp:JID`, as the road proved it. */
  readonly from: string;
  readonly to: string;
  readonly trust: TrustLevel;
  readonly body: string;
  readonly id?: string;
  readonly subject?: string;
  readonly thread?: string;
  /** The sender's record id, when it is a box: a repeat is recognised by it. */
  readonly origin?: Origin;
}

/** Incoming messages: a bounded durable log, in which each named reader has its own place. */
export class Inbox {
  readonly #log: Log;

  constructor(log: Log) {
    this.#log = log;
  }

  /** Resolves when the message is on disk; a repeat resolves too, and is not kept twice. */
  async receive(incoming: Incoming): Promise<void> {
    const known = incoming.trust !== 'none';
    const topic = known ? KNOWN : STRANGERS;
    const state = this.#log.topic(topic);
    if (!known && (state?.bytes ?? 0) > STRANGERS_BYTES) {
      throw new LanpostError('topic-full', 'the inbox for peers without a key is full; someone has to read it first');
    }
    const opened = state ? undefined
      : this.#log.append({ topic, kind: 'configure', config: { maxItems: known ? VIEW.known : VIEW.strangers, lane: 'history' } });
    const { body, origin, ...envelope } = incoming;
    const kept = this.#log.append({
      topic,
      kind: 'publish',
      payload: { contentType: 'text/plain', bytes: new TextEncoder().encode(body) },
      extra: envelope,
      ...(origin === undefined ? {} : { origin }),
    });
    await Promise.all([opened, kept]);
  }

  /** The newest, oldest first. */
  async last(count: number): Promise<LogRecord[]> {
    const pages = [KNOWN, STRANGERS].map((topic) => (this.#log.topic(topic) ? this.#log.items(topic, { last: count }) : []));
    return (await Promise.all(pages)).flat().toSorted((a, b) => a.seq - b.seq).slice(-count);
  }
}

export function toMessage(record: LogRecord, redelivered: boolean, ack: () => void): Message {
  const { id, ...envelope } = record.extra as Omit<Incoming, 'body' | 'origin'>;
  return {
    ...envelope,
    id: id ?? record.recordId,
    body: new TextDecoder().decode(record.payload?.bytes),
    seq: record.seq,
    time: record.stamp.wall,
    redelivered,
    ack,
  };
}
