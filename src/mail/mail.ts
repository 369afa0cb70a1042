import { randomUUID } from 'node:crypto';
import type { MessagesOptions, MessageState, MessageStream, Receipt, SendOptions, Trouble } from '../api.ts';
import type { Clock } from '../clock.ts';
import { LanpostError } from '../errors.ts';
import type { Log } from '../log/log.ts';
import type { LogRecord } from '../log/record.ts';
import { Seldom } from '../seldom.ts';
import { type Address, addressAs, formatAddress, parseAddress, parseKept } from './address.ts';
import type { Devices } from './devices.ts';
import { RecordAges } from '../log/stamp-age.ts';
import { Inbox, INBOX, type Incoming, NAMED } from './inbox.ts';
import { addressIn, isMailTopic, mailTopic, toDraft } from './letter.ts';
import { messageReader, type Opening } from './message-reader.ts';
import { Outbox } from './outbox.ts';
import { type KeptLetter, Receipts } from './receipts.ts';
import type { Road } from './road.ts';
import { Wakes } from './wakes.ts';

const WEEK = 7 * 24 * 3600 * 1000;
/** Sent messages that can still be asked for by id. */
const SENT_VIEW = 200;

export interface MailParts {
  readonly log: Log;
  readonly clock: Clock;
  readonly trouble: (trouble: Trouble) => void;
  /** Nearest first. */
  readonly roads: readonly Road[];
  readonly isHomeDomain: (domain: string) => boolean;
  /** Those of this box, and the address of its own that one of them writes to accounts from. Default: there are none. */
  readonly devices?: { readonly all: Devices; readonly addressOf: (name: string) => string | undefined };
  readonly limits: { readonly stanzaBytes: number };
}

/** Messages: kept on disk first, carried by the nearest road, kept until the far side has them. */
export class Mail {
  readonly #parts: MailParts;
  readonly #inbox: Inbox;
  readonly #receipts: Receipts;
  readonly #ages: RecordAges;
  readonly #outboxes = new Map<string, Promise<Outbox>>();
  readonly #pumps = new Set<Outbox>();
  readonly #wakes: Wakes;
  readonly #seldom: Seldom;
  #readers = 0;
  #closed = false;

  constructor(parts: MailParts) {
    this.#parts = parts;
    this.#receipts = new Receipts(parts.log);
    this.#ages = new RecordAges(parts.log, parts.clock);
    this.#wakes = new Wakes(parts.clock, () => this.#wake());
    this.#seldom = new Seldom(parts.clock, parts.trouble);
    this.#inbox = new Inbox(parts.log, (found) => this.#seldom.tell(found));
  }

  /** Takes up what an earlier run left undelivered. */
  async start(): Promise<void> {
    await this.#parts.devices?.all.start();
    await this.#receipts.start((letter) => this.#isPast(letter));
    for (const cursor of this.#parts.log.cursors()) {
      // The process was killed while it was read: from now on nobody does.
      if (cursor.name.startsWith(NAMED) && !cursor.open && !isLeft(cursor.extra)) await this.#noteLeft(cursor.name, this.#parts.clock.wall());
      if (!isMailTopic(cursor.filter) || !cursor.name.startsWith('mail:')) continue;
      if (await cursor.pending() > 0) await this.#outbox(parseKept(cursor.name.slice('mail:'.length)));
    }
  }

  /** Resolves when it is on disk here. */
  async send(to: string, body: string, options: SendOptions = {}): Promise<Receipt> {
    const address = parseAddress(to, this.#parts.isHomeDomain);
    const device = options.device === undefined ? undefined : this.#devices().checked(options.device);
    // Whoever is written to from an address answers to it: what a device is called does not change with its roads.
    const own = device === undefined || address.kind !== 'xmpp' ? undefined : this.#parts.devices?.addressOf(device);
    return this.#post(own === undefined || address.kind !== 'xmpp' ? address : addressAs(own, address.jid), to, body, options, device);
  }

  /** From an address of a device's own, bare. */
  sendAs(from: string, jid: string, body: string): Promise<Receipt> {
    return this.#post(addressAs(from, jid), jid, body, {}, undefined);
  }

  async #post(address: Address, to: string, body: string, options: SendOptions, device: string | undefined): Promise<Receipt> {
    const lifetime = checkedOptions(body, options);
    const most = this.#parts.limits.stanzaBytes / 2;
    if ([body, options.subject, options.thread].reduce((sum, text) => sum + Buffer.byteLength(text ?? ''), 0) > most) {
      throw new LanpostError('too-large', `a message has at most ${most} bytes`);
    }
    const { roads } = this.#parts;
    const nearest = roads.find((road) => road.reaches(address)) ?? roads.find((road) => road.holds(address));
    if (!nearest) {
      for (const road of roads) road.check?.(address, to);
      throw new LanpostError('unreachable', `${nameOf(address)} is not on the link, and nothing here may hold mail for it: see \`lanpost peers\``);
    }
    const id = options.id ?? randomUUID();
    const letter = {
      id, body,
      ...(options.subject === undefined ? {} : { subject: options.subject }),
      ...(options.thread === undefined ? {} : { thread: options.thread }),
      ...keyed(nearest.recipient?.(address)),
      ...(device === undefined ? {} : { device }),
    };
    const outbox = await this.#outbox(address);
    const { seq } = await this.#parts.log.append(toDraft(address, letter, lifetime));
    outbox.wake();
    const kept = { topic: mailTopic(address), seq };
    // It may be one that was there before, and by now even a new one may have come to its end.
    return this.#receipts.open(id, nameOf(address), kept, this.#isPast(kept));
  }

  /** What has become of a message; `undefined` for one this box does not know, or no longer. */
  async state(id: string): Promise<MessageState | undefined> {
    let newest: LogRecord | undefined;
    for (const { name } of this.#parts.log.topics()) {
      if (!isMailTopic(name)) continue;
      const [record] = await this.#parts.log.items(name, { ids: [id] });
      if (record && record.seq > (newest?.seq ?? 0)) newest = record;
    }
    return newest && (this.#receipts.state(newest) ?? (this.#isPast(newest) ? 'delivered' : 'accepted'));
  }

  /** A message came in; resolves when it is on disk, and only then may it be acknowledged. */
  receive(incoming: Incoming): Promise<void> {
    return this.#inbox.receive(incoming);
  }

  messages(options: MessagesOptions = {}): MessageStream {
    const { name, from, last = 0, device, signal } = options;
    if (device !== undefined) {
      if (name !== undefined || from !== undefined || last !== 0) throw new TypeError('the messages of a device have one reader: leave out name, from and last');
      return this.#devices().messages(device, signal);
    }
    if (name === undefined && from !== undefined) throw new TypeError('without a name what comes from now on is read: leave out from');
    const opening = name === undefined ? this.#liveReader(last) : this.#namedReader(name, from);
    return messageReader(opening, signal);
  }

  /** A road opened, or a peer came or went. */
  roadsChanged(): void {
    if (!this.#closed) this.#wakes.changed();
  }

  /** The keys of peers for which letters wait that nothing takes to them. */
  *awaited(): Iterable<string> {
    for (const { awaited } of this.#pumps) if (awaited !== undefined) yield awaited;
  }

  #wake(): void {
    for (const opening of this.#outboxes.values()) opening.then((outbox) => outbox.wake()).catch(this.#report);
  }

  /** Nothing more is handed on. Before it is closed, roads may still say what has become of what they have. */
  async stop(): Promise<void> {
    this.#closed = true;
    this.#wakes.stop();
    await Promise.allSettled([...this.#outboxes.values()].map(async (opening) => (await opening).stop()));
  }

  async close(): Promise<void> {
    await this.stop();
    // One that cannot be closed keeps none of the others open.
    const closed = await Promise.allSettled([...this.#outboxes.values()].map(async (opening) => (await opening).close()));
    this.#receipts.close();
    for (const outcome of closed) if (outcome.status === 'rejected') this.#report(outcome.reason);
  }

  async #liveReader(last: number): Promise<Opening> {
    this.#readers += 1;
    const from = { seq: this.#parts.log.head + 1 };
    const cursor = await this.#parts.log.cursor({ name: `live-mail:${this.#readers}`, filter: INBOX, from, durable: false });
    const first = last > 0 ? await this.#inbox.last(last) : [];
    return { cursor, first: first.filter((record) => record.seq < from.seq) };
  }

  async #namedReader(name: string, from: MessagesOptions['from']): Promise<Opening> {
    if (typeof name !== 'string') throw new TypeError('the name of a reader must be a string');
    if (!/^[^\p{Cc}]{1,128}$/u.test(name)) throw new LanpostError('invalid-value', 'the name of a reader has 1 to 128 characters and no control characters');
    const { log, clock } = this.#parts;
    const cursor = await log.cursor({ name: NAMED + name, filter: INBOX, from: checkedFrom(from), durable: true });
    if (isLeft(log.extra(cursor.name))) await this.#noteLeft(cursor.name, undefined);
    return { cursor, first: [], left: () => this.#noteLeft(cursor.name, clock.wall()) };
  }

  /** Since when nobody reads with it, for the list of readers. A log that takes nothing, or is closing, stops no reader. */
  async #noteLeft(name: string, since: number | undefined): Promise<void> {
    const { log } = this.#parts;
    if (!log.hasCursor(name)) return;
    await log.annotate(name, since === undefined ? {} : { since }, false).catch((error: unknown) => {
      if (!(error instanceof LanpostError)) this.#report(error);
    });
  }

  #devices(): Devices {
    if (!this.#parts.devices) throw new LanpostError('unsupported', 'this box has no devices');
    return this.#parts.devices.all;
  }

  #outbox(address: Address): Promise<Outbox> {
    const key = formatAddress(address);
    let opening = this.#outboxes.get(key);
    if (!opening) {
      opening = this.#open(address);
      this.#outboxes.set(key, opening);
      opening.catch(() => this.#outboxes.delete(key));
    }
    return opening;
  }

  async #open(address: Address): Promise<Outbox> {
    const { log, clock, roads } = this.#parts;
    const topic = mailTopic(address);
    if (!log.topic(topic)) await log.append({ topic, kind: 'configure', config: { maxItems: SENT_VIEW, lane: 'history' } });
    if (this.#closed) throw new LanpostError('closed');
    const cursor = await log.cursor({ name: cursorName(formatAddress(address)), filter: topic, from: 'start', durable: true });
    const outbox = new Outbox({ address, cursor, roads, receipts: this.#receipts, ages: this.#ages, clock, trouble: (found) => this.#seldom.tell(found), noteLoss: (loss) => log.noteLoss(loss), predecessor: (record) => log.predecessor(record) });
    this.#pumps.add(outbox);
    return outbox;
  }

  /** Whether its outbox is done with it. */
  #isPast({ topic, seq }: KeptLetter): boolean {
    return this.#parts.log.standing(cursorName(addressIn(topic)), topic, seq) === 'past';
  }

  readonly #report = (error: unknown): void => {
    this.#parts.trouble({ kind: 'mail.outbox', message: error instanceof Error ? error.message : String(error) });
  };
}

/** A letter outlives the process, so what is wrong with it must be found before it is kept. Gives its lifetime. */
function checkedOptions(body: string, { id, subject, thread, expires = WEEK }: SendOptions): number {
  if (typeof body !== 'string') throw new TypeError('a message body must be a string');
  for (const [name, text] of Object.entries({ id, subject, thread })) {
    if (text !== undefined && typeof text !== 'string') throw new TypeError(`${name} must be a string`);
  }
  if (typeof expires !== 'number' || !(expires >= 0)) throw new TypeError('expires must be a number of milliseconds');
  return expires;
}

function checkedFrom(from: MessagesOptions['from'] = 'start'): NonNullable<MessagesOptions['from']> {
  const isPosition = typeof from === 'object' && from !== null && Number.isFinite('seq' in from ? from.seq : from.time);
  if (isPosition || from === 'new' || from === 'start') return from;
  throw new LanpostError('invalid-value', 'from must be new, start, {seq} or {time}');
}

function isLeft(extra: unknown): boolean {
  return typeof extra === 'object' && extra !== null && 'since' in extra;
}

function keyed(key: string | undefined): { readonly key?: string } {
  return key === undefined ? {} : { key };
}

/** As its sender knows it. */
function nameOf(address: Address): string {
  return address.kind === 'as' ? `xmpp:${address.jid}` : formatAddress(address);
}

/** By its address as it is written down. */
function cursorName(address: string): string {
  return `mail:${address}`;
}
