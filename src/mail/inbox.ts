import type { Message, TrustLevel } from '../api.ts';
import { LanpostError } from '../errors.ts';
import type { Log } from '../log/log.ts';
import type { Draft, LogRecord, Origin } from '../log/record.ts';
import { formatRecordId } from '../log/record-id.ts';

/**
 * One topic a level of trust. Only paired keys were vouched for by the owner; the others are free
 * to make, so together they may pin no more than this many bytes while a named reader is away.
 * What is in view is known again: of keys that are seen as much as a box sends before it hears of the first.
 */
const BOXES = {
  paired: { topic: '$inbox/paired', view: 1000, bytes: Number.POSITIVE_INFINITY },
  seen: { topic: '$inbox/seen', view: 1000, bytes: 32 * 1024 * 1024 },
  none: { topic: '$inbox/keyless', view: 512, bytes: 8 * 1024 * 1024 },
} as const satisfies Record<TrustLevel, { topic: string; view: number; bytes: number }>;
export const INBOX = '$inbox/#';
/** Which of the durable cursors are its named readers. */
export const NAMED = 'inbox:';
/** Where the numbers of paired keys are kept. */
export const PAIRED_INBOX: string = BOXES.paired.topic;

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
  /** Of a paired key: what of that outbox must be on disk before it; not so, it is refused (`busy`). */
  readonly after?: Pick<Origin, 'epoch' | 'seq'>;
  /** Else what its road recognises a repeat by: known as long as the message is kept, the newest 512 of strangers. */
  readonly repeat?: string;
}

/** Incoming messages: a bounded durable log, in which each named reader has its own place. */
export class Inbox {
  readonly #log: Log;
  /** Letters of paired keys are kept in the order in which they came, also while it is looked whether they are there. */
  #looked: Promise<unknown> = Promise.resolve();

  constructor(log: Log) {
    this.#log = log;
  }

  /** Resolves when the message is on disk; a repeat resolves too, and is not kept twice. */
  async receive(incoming: Incoming): Promise<void> {
    if (incoming.origin && await this.#isKept(incoming.trust, incoming.origin)) return;
    const { topic, view, bytes } = BOXES[incoming.trust];
    const state = this.#log.topic(topic);
    if (state && state.bytes > bytes && this.#isUnread(state.last)) {
      throw new LanpostError('topic-full', `the inbox for ${incoming.trust === 'none' ? 'peers without a key' : 'keys that are not paired'} is full; someone has to read it first`);
    }
    // An earlier version made one with a smaller view.
    const opened = state?.settings.maxItems === view ? undefined : this.#log.append({ topic, kind: 'configure', config: { maxItems: view, lane: 'history', ...(Number.isFinite(bytes) ? { maxBytes: bytes } : {}) } });
    const kept = this.#log.append(draftOf(topic, incoming));
    await Promise.all([opened, kept]);
  }

  /** Whether it came when its sender was trusted otherwise: it is kept with what the sender was then. */
  async #isKept(trust: TrustLevel, origin: Origin): Promise<boolean> {
    if (trust !== 'paired') return this.#log.hasOrigin(origin, PAIRED_INBOX);
    const found = this.#looked.then(async () => {
      const { topic } = BOXES.seen;
      return (this.#log.topic(topic)?.count ?? 0) > 0 ? this.#log.items(topic, { ids: [formatRecordId(origin)] }) : [];
    });
    this.#looked = found.catch(() => undefined); // whoever brought it sees that
    return (await found).length > 0;
  }

  /** Without it, what is over goes by itself: nobody need be turned away. */
  #isUnread(last: number): boolean {
    for (const { filter, position } of this.#log.cursors()) if (filter === INBOX && position < last) return true;
    return false;
  }

  /** The newest, oldest first. */
  async last(count: number): Promise<LogRecord[]> {
    const pages = Object.values(BOXES).map(({ topic }) => (this.#log.topic(topic) ? this.#log.items(topic, { last: count }) : Promise.resolve([])));
    return (await Promise.all(pages)).flat().toSorted((a, b) => a.seq - b.seq).slice(-count);
  }
}

/** A message as the log keeps it. */
export function draftOf(topic: string, { body, origin, after, repeat, ...envelope }: Incoming): Draft {
  return {
    topic,
    kind: 'publish',
    payload: { contentType: 'text/plain', bytes: new TextEncoder().encode(body) },
    extra: envelope,
    ...(after === undefined ? {} : { after }),
    ...(origin === undefined ? repeat === undefined ? {} : { id: repeat } : repeatMark(envelope.trust, origin)),
  };
}

/**
 * How a repeat is recognised. A mark lasts for ever, so only paired keys get one; for the rest the
 * record id is the item id, known as long as the message is kept, and no key that is free to make
 * leaves a row behind.
 */
function repeatMark(trust: TrustLevel, origin: Origin): Pick<Draft, 'id' | 'origin'> {
  return trust === 'paired' ? { origin } : { id: formatRecordId(origin) };
}

export function toMessage(record: LogRecord, redelivered: boolean, ack: () => void): Message {
  if (!isEnvelope(record.extra)) throw new LanpostError('corrupt', `record ${record.seq} of ${record.topic} is not a message`);
  const { id, ...envelope } = record.extra;
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

function isEnvelope(extra: unknown): extra is Omit<Incoming, 'body' | 'origin'> {
  return typeof extra === 'object' && extra !== null && 'from' in extra && 'to' in extra && 'trust' in extra;
}
