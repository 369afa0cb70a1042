import { LanpostError } from '../errors.ts';
import { parseRecordId } from '../log/record-id.ts';
import type { Draft, LogRecord, Origin } from '../log/record.ts';
import { type Address, formatAddress } from './address.ts';

/** One outgoing message, as the log keeps it and the roads carry it. */
export interface Letter {
  readonly id: string;
  readonly to: string;
  readonly body: string;
  readonly subject?: string;
  readonly thread?: string;
  /** Of whoever had the address when it was accepted. */
  readonly key?: string;
  /** The device of this box that it is from. */
  readonly device?: string;
  /** Minted here, carried on every road: what the recipient recognises a repeat by. */
  readonly recordId: string;
  /** The outbox it is numbered in: one box may have several for one recipient, under names it has had. */
  readonly chain: string;
  /** The number before it in that outbox, of the same epoch. */
  readonly previous?: number;
  /** Record id of the one before it that is on its way, unconfirmed: the recipient must have that first. */
  readonly after?: string;
  readonly time: number;
}

interface Stored {
  readonly envelope: Envelope;
  /** Milliseconds from its acceptance until it is given up. */
  readonly lifetime: number;
}

interface Envelope {
  readonly to: string;
  readonly subject?: string;
  readonly thread?: string;
  readonly key?: string;
  readonly device?: string;
}

const PREFIX = '$mail/';

/** Levels and wildcards have a meaning in topic names, so an address is escaped into one level. */
export function mailTopic(address: Address): string {
  const escaped = formatAddress(address).replace(/[%/+#]/gu, (found) => `%${found.codePointAt(0)?.toString(16)}`);
  return PREFIX + escaped;
}

/** The address whose letters it has, as it is written down. */
export function addressIn(mailTopicName: string): string {
  return mailTopicName.slice(PREFIX.length).replace(/%([0-9a-f]{2})/gu, (_found, code: string) => String.fromCodePoint(Number.parseInt(code, 16)));
}

export function isMailTopic(topic: string): boolean {
  return topic.startsWith(PREFIX);
}

export function toDraft(address: Address, letter: Omit<Letter, 'recordId' | 'chain' | 'previous' | 'after' | 'time' | 'to'>, lifetime: number): Draft {
  const envelope: Envelope = {
    to: formatAddress(address),
    ...(letter.subject === undefined ? {} : { subject: letter.subject }),
    ...(letter.thread === undefined ? {} : { thread: letter.thread }),
    ...(letter.key === undefined ? {} : { key: letter.key }),
    ...(letter.device === undefined ? {} : { device: letter.device }),
  };
  return {
    topic: mailTopic(address),
    kind: 'publish',
    id: letter.id,
    payload: { contentType: 'text/plain', bytes: new TextEncoder().encode(letter.body) },
    extra: { envelope, lifetime },
  };
}

/** The letter, and how long it may take. */
export function fromRecord(record: LogRecord, previous?: number): { readonly letter: Letter; readonly lifetime: number } {
  const { extra } = record;
  if (record.id === undefined || !record.payload || !isStored(extra)) {
    throw new LanpostError('corrupt', `record ${record.seq} of ${record.topic} is not a message`);
  }
  const { envelope, lifetime } = extra;
  const letter = {
    ...envelope,
    id: record.id,
    body: new TextDecoder().decode(record.payload.bytes),
    recordId: record.recordId,
    chain: record.topic.slice(PREFIX.length),
    ...(previous === undefined ? {} : { previous }),
    time: record.stamp.wall,
  };
  return { letter, lifetime };
}

/** What a repeat of a letter is recognised by, of what a box says of it. Throws `invalid-value` when the id is none. */
export function originOfLetter({ id, chain, previous }: { readonly id: string; readonly chain: string; readonly previous?: number }): Origin {
  const origin = parseRecordId(id);
  return { ...origin, chain, ...(previous === undefined || previous >= origin.seq ? {} : { previous }) };
}

function isStored(extra: unknown): extra is Stored {
  return typeof extra === 'object' && extra !== null && 'lifetime' in extra && typeof extra.lifetime === 'number'
    && 'envelope' in extra && typeof extra.envelope === 'object' && extra.envelope !== null && 'to' in extra.envelope;
}
