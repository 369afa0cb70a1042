import type { Message, Trouble, TrustLevel } from '../api.ts';
import { LanpostError } from '../errors.ts';
import type { Appended } from '../log/appended.ts';
import type { Log } from '../log/log.ts';
import type { Draft, LogRecord, Origin } from '../log/record.ts';
import { formatRecordId } from '../log/record-id.ts';
import { InboxShares } from './inbox-shares.ts';

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
/** Of what keys that are seen may pin together, one of them. */
const SHARE = BOXES.seen.bytes / 8;
/** What the disk has of a letter besides its words, about. */
const ENVELOPE = 512;
/** Outboxes of which it is remembered that a letter was turned away. */
const TURNED_AWAY = 1024;
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
  /** Of a key that is seen: its fingerprint. */
  readonly key?: string;
  /** The record id of what the same outbox has sent before it and does not know to be here. */
  readonly behind?: string;
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
  /** And those of keys that are seen, also while it is looked whether there is room. */
  #admitted: Promise<unknown> = Promise.resolve();
  readonly #trouble: (trouble: Trouble) => void;
  readonly #shares: InboxShares;
  /** On their way to the disk, and how much they have. */
  readonly #keeping = new Set<Promise<void>>();
  #onTheWay = 0;
  /** By outbox: the newest letter that was turned away. What its box had sent behind that comes again behind it. */
  readonly #turnedAway = new Map<string, string>();

  constructor(log: Log, trouble: (trouble: Trouble) => void) {
    this.#log = log;
    this.#trouble = trouble;
    this.#shares = new InboxShares({ log, topic: BOXES.seen.topic, weigh: weighed });
  }

  /** Resolves when the message is on disk; a repeat resolves too, and is not kept twice. */
  async receive(incoming: Incoming): Promise<void> {
    if (incoming.origin && await this.#isKept(incoming.trust, incoming.origin)) return;
    if (incoming.trust !== 'seen') {
      this.#checkRoom(incoming);
      this.#checkTurn(incoming);
      await this.#keep(incoming);
      return;
    }
    const admitted = this.#admitted.then(() => this.#admit(incoming));
    this.#admitted = admitted.catch(() => undefined); // whoever brought it sees that
    const admission = await admitted;
    if (admission === 'here') return;
    const keeping = this.#keepCounted(incoming, admission).finally(() => {
      this.#onTheWay -= admission.bytes;
      this.#keeping.delete(keeping);
    });
    this.#keeping.add(keeping);
    await keeping;
  }

  async #keepCounted(incoming: Incoming, { sender, bytes }: Weight): Promise<void> {
    const kept = await this.#keep(incoming).catch((error: unknown) => {
      this.#shares.free(sender, bytes);
      throw error;
    });
    if (kept.repeated) this.#shares.free(sender, bytes);
    else this.#shares.kept(sender, bytes, kept.seq);
  }

  async #keep(incoming: Incoming): Promise<Appended> {
    const { topic, view, bytes } = BOXES[incoming.trust];
    const state = this.#log.topic(topic);
    // An earlier version made one with a smaller view.
    const opened = state?.settings.maxItems === view ? undefined : this.#log.append({ topic, kind: 'configure', config: { maxItems: view, lane: 'history', ...(Number.isFinite(bytes) ? { maxBytes: bytes } : {}) } });
    const [kept] = await Promise.all([this.#log.append(draftOf(topic, incoming)), opened]);
    return kept;
  }

  /** One at a time. */
  async #admit(incoming: Incoming): Promise<Weight | 'here'> {
    const { origin } = incoming;
    try {
      this.#checkTurn(incoming);
      return await this.#weighIn(incoming);
    } catch (error) {
      if (!origin || !isFull(error)) throw error;
      if ((await this.#log.items(BOXES.seen.topic, { ids: [formatRecordId(origin)] })).length > 0) return 'here';
      this.#turnAway(origin);
      throw error;
    }
  }

  /** Whether what its box had sent before it was turned away; also of a key that has been paired since. */
  #checkTurn({ origin, behind }: Incoming): void {
    if (!origin) return;
    const outbox = outboxOf(origin);
    if (behind !== undefined && this.#turnedAway.get(outbox) === behind) {
      this.#turnAway(origin);
      throw new LanpostError('topic-full', 'what was sent before it found no room here');
    }
    this.#turnedAway.delete(outbox);
  }

  #turnAway(origin: Origin): void {
    const outbox = outboxOf(origin);
    this.#turnedAway.delete(outbox);
    this.#turnedAway.set(outbox, formatRecordId(origin));
    for (const [oldest] of this.#turnedAway) if (this.#turnedAway.size > TURNED_AWAY) this.#turnedAway.delete(oldest);
  }

  /** Whether there is room for it, in all and of what its key may have. */
  async #weighIn(incoming: Incoming): Promise<Weight> {
    this.#checkRoom(incoming);
    const weight = weightOf(incoming, incoming.body);
    const { bytes = 0, last = 0 } = this.#log.topic(BOXES.seen.topic) ?? {};
    const slowest = bytes + this.#onTheWay + weight.bytes > SHARE ? this.#slowest() : undefined;
    // Nobody can have too much, or all of it is read: then it goes by itself.
    if (!slowest || (slowest.position >= last && this.#onTheWay === 0)) this.#shares.forget();
    else {
      if (!this.#shares.covers(slowest.position)) await Promise.allSettled(this.#keeping);
      await this.#shares.count(slowest.position);
      if (this.#shares.of(weight.sender) + weight.bytes > SHARE) {
        this.#full(incoming, slowest.name, 'so much of it waits to be read that there is no room for more of one key that is not paired', 'as much of what this key has sent waits to be read as one that is not paired may have here');
      }
    }
    this.#shares.reserve(weight.sender, weight.bytes);
    this.#onTheWay += weight.bytes;
    return weight;
  }

  #checkRoom(incoming: Incoming): void {
    const { topic, bytes } = BOXES[incoming.trust];
    const state = this.#log.topic(topic);
    if (!state || state.bytes + (incoming.trust === 'seen' ? this.#onTheWay : 0) <= bytes) return;
    const slowest = this.#slowest();
    // Without one that has to read it, what is over goes by itself: nobody need be turned away.
    if (!slowest || slowest.position >= state.last) return;
    const whose = incoming.trust === 'none' ? 'peers without a key' : 'keys that are not paired';
    this.#full(incoming, slowest.name, `there is no room for more from ${whose}`, `the inbox for ${whose} is full; someone has to read it first`);
  }

  /** `told`: to the owner; `said`: to the sender. */
  #full({ from }: Incoming, reader: string, told: string, said: string): never {
    this.#trouble({ kind: 'mail.inbox-full', code: 'topic-full', message: `a message of ${from} was turned away: ${told}; the reader ${reader.slice(NAMED.length)} has not read it, \`lanpost subscriptions drop '${reader}'\` gives that one up` });
    throw new LanpostError('topic-full', said);
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

  /** The named reader that has most to read. */
  #slowest(): { readonly name: string; readonly position: number } | undefined {
    let slowest: { readonly name: string; readonly position: number } | undefined;
    for (const { name, filter, position } of this.#log.cursors()) if (filter === INBOX && (!slowest || position < slowest.position)) slowest = { name, position };
    return slowest;
  }

  /** The newest, oldest first. */
  async last(count: number): Promise<LogRecord[]> {
    const pages = Object.values(BOXES).map(({ topic }) => (this.#log.topic(topic) ? this.#log.items(topic, { last: count }) : Promise.resolve([])));
    return (await Promise.all(pages)).flat().toSorted((a, b) => a.seq - b.seq).slice(-count);
  }
}

/** A message as the log keeps it. */
export function draftOf(topic: string, { body, origin, after, behind: _behind, repeat, ...envelope }: Incoming): Draft {
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

interface Weight { readonly sender: string; readonly bytes: number }

/** All words of a letter count, whichever of them it is long by. */
function weightOf({ key, from, ...envelope }: Omit<Incoming, 'body' | 'origin'>, body: string | Uint8Array): Weight {
  const words = [envelope.id, envelope.subject, envelope.thread].reduce((sum, text) => sum + Buffer.byteLength(text ?? ''), 0);
  return { sender: key ?? from, bytes: ENVELOPE + Buffer.byteLength(body) + words };
}

function weighed({ extra, payload }: LogRecord): Weight {
  const body = payload?.bytes ?? '';
  // COMPAT(stores from before 0.1): by whose key a letter came is not kept with it; the name is.
  return isEnvelope(extra) ? weightOf(extra, body) : { sender: '', bytes: ENVELOPE + Buffer.byteLength(body) };
}

const outboxOf = ({ box, chain = '' }: Origin): string => `${box} ${chain}`;

function isFull(error: unknown): boolean {
  return error instanceof LanpostError && error.code === 'topic-full';
}

export function toMessage(record: LogRecord, redelivered: boolean, ack: () => void): Message {
  if (!isEnvelope(record.extra)) throw new LanpostError('corrupt', `record ${record.seq} of ${record.topic} is not a message`);
  const { id, key: _key, ...envelope } = record.extra;
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
