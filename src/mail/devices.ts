// The devices of this box: things that speak no XMPP, for which it speaks. What is for one of them is kept until whoever speaks with
// the device has confirmed it, whether or not anybody does now.
import type { DeviceInfo, MessageStream } from '../api.ts';
import { LanpostError } from '../errors.ts';
import { OneByOne } from '../one-by-one.ts';
import type { CursorInfo } from '../log/cursor-info.ts';
import type { Log } from '../log/log.ts';
import type { LogRecord, Origin } from '../log/record.ts';
import { checkedDeviceName } from './device-name.ts';
import { draftOf, type Incoming } from './inbox.ts';
import { messageReader } from './message-reader.ts';

const ROWS = 'device/';
const DEVICES = 1_000;
/** Of one device, unread: messages, and bytes of their records. */
const HELD = { messages: 1_000, bytes: 16 * 1024 * 1024 };
/** Messages that are known after they were read: so long a repeat from this box itself is told from a new one. */
const VIEW = 256;

const topicOf = (name: string): string => `$device/${name}`;
const cursorOf = (name: string): string => `device:${name}`;

export class Devices {
  readonly #log: Log;
  /** Those there are, and since when. */
  readonly #since = new Map<string, number>();
  readonly #turns = new OneByOne();
  /** By name: the last that has come, until it is on its way to the disk. */
  readonly #arriving = new Map<string, Promise<unknown>>();

  constructor(log: Log) {
    this.#log = log;
    for (const [key, row] of log.registry.entries(ROWS)) if (isRow(row)) this.#since.set(key.slice(ROWS.length), row.since);
  }

  /** Readers of devices that are gone, when the box was killed meanwhile, hold nothing. */
  async start(): Promise<void> {
    for (const { name, filter } of Array.from(this.#log.cursors())) if (name.startsWith(cursorOf('')) && filter.startsWith(topicOf('')) && !this.has(name.slice(cursorOf('').length))) await this.#log.dropCursor(name);
  }

  has(name: string): boolean {
    return this.#since.has(name);
  }

  /** Throws when it is not one of this box. */
  checked(text: unknown): string {
    const name = checkedDeviceName(text);
    if (!this.has(name)) throw new LanpostError('not-found', `this box has no device ${name}: see \`lanpost device list\``);
    return name;
  }

  /** From then on its mail is held. Again changes nothing. */
  add(text: string, now: number): Promise<DeviceInfo> {
    const name = checkedDeviceName(text);
    return this.#turns.run(async () => {
      if (!this.has(name)) {
        if (this.#since.size >= DEVICES) throw new LanpostError('busy', `a box has at most ${DEVICES} devices`);
        const topic = topicOf(name);
        const state = this.#log.topic(topic);
        if (!state || state.deleted) await this.#log.append({ topic, kind: 'configure', config: { maxItems: VIEW, lane: 'history' } });
        // The reader is there before the device is: nothing is taken for it that nobody would hold.
        await this.#forget(name);
        await (await this.#log.cursor({ name: cursorOf(name), filter: topic, from: { seq: this.#log.head + 1 }, durable: true })).close();
        await this.#log.registry.set(ROWS + name, { since: now });
        this.#since.set(name, now);
      }
      return this.#info(name);
    });
  }

  async list(): Promise<DeviceInfo[]> {
    return Promise.all([...this.#since.keys()].toSorted().map((name) => this.#info(name)));
  }

  /** What it has not read goes with it. */
  remove(text: string): Promise<void> {
    return this.#turns.run(async () => {
      const name = this.checked(text);
      if (this.#cursor(name)?.open) throw new LanpostError('in-use', `somebody reads the messages of ${name}`);
      await this.#log.registry.set(ROWS + name, undefined);
      this.#since.delete(name);
      await this.#forget(name);
      await this.#log.append({ topic: topicOf(name), kind: 'delete' });
    });
  }

  /** Resolves when it is on disk; a repeat resolves too, and is not kept twice. */
  async receive(name: string, incoming: Incoming): Promise<void> {
    // Whatever it takes to tell whether there is room: in the order in which they came, or numbers would be left behind.
    const kept = (this.#arriving.get(name) ?? Promise.resolve()).then(async () => {
      await this.#admit(name, incoming);
      return { appended: this.#log.append(draftOf(topicOf(name), incoming)) };
    });
    const turn: Promise<unknown> = kept.catch(() => undefined).finally(() => { if (this.#arriving.get(name) === turn) this.#arriving.delete(name); });
    this.#arriving.set(name, turn);
    await (await kept).appended;
  }

  /** One reader at a time: whoever speaks with the device. */
  messages(text: string, signal: AbortSignal | undefined): MessageStream {
    const name = this.checked(text);
    const opening = this.#log.cursor({ name: cursorOf(name), filter: topicOf(name), from: 'start', durable: true });
    return messageReader(opening.then((cursor) => ({ cursor, first: [] as LogRecord[] })), signal);
  }

  /** The highest number that is on disk of what a box has sent to that device, of one outbox of it. */
  mark({ box, epoch, chain }: Pick<Origin, 'box' | 'epoch' | 'chain'>, name: string): number {
    return this.#log.originMark(box, epoch, topicOf(name), chain);
  }

  async #forget(name: string): Promise<void> {
    if (this.#log.hasCursor(cursorOf(name))) await this.#log.dropCursor(cursorOf(name));
  }

  async #admit(name: string, { origin }: Incoming): Promise<void> {
    if (!this.has(name)) throw new LanpostError('not-found', `there is no device ${name}`);
    const state = this.#log.topic(topicOf(name));
    if (!state || (state.count < VIEW && state.bytes < HELD.bytes)) return;
    // It is there already.
    if (origin && this.#log.hasOrigin(origin, topicOf(name))) return;
    const cursor = this.#cursor(name);
    if (cursor && (await cursor.pending() >= HELD.messages || await cursor.bytes() >= HELD.bytes)) {
      throw new LanpostError('topic-full', `${HELD.messages} messages or ${HELD.bytes / 1024 / 1024} MiB wait for ${name}; someone has to read them first`);
    }
  }

  #cursor(name: string): CursorInfo | undefined {
    for (const cursor of this.#log.cursors()) if (cursor.name === cursorOf(name)) return cursor;
    return undefined;
  }

  async #info(name: string): Promise<DeviceInfo> {
    const base = { name, address: `device:${name}`, since: this.#since.get(name) ?? 0 };
    const cursor = this.#cursor(name);
    return { ...base, unread: await cursor?.pending() ?? 0, open: cursor?.open ?? false };
  }
}

function isRow(row: unknown): row is { readonly since: number } {
  return typeof row === 'object' && row !== null && 'since' in row && typeof row.since === 'number';
}
