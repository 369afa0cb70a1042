// Takes records from the log as far ahead as there is room, one loop per reader.
import { setMaxListeners } from 'node:events';
import type { Clock } from '../clock.ts';
import type { Cursor, LogRecordDelivery } from '../log/cursor.ts';
import { LanpostError } from '../errors.ts';
import type { Log } from '../log/log.ts';
import type { LogRecord } from '../log/record.ts';
import { partsOf, type Entry, type Lane } from './lane.ts';
import { generationsOf, horizonOf, pastOf, type Past } from './succession.ts';

/** One durable cursor, and which topics it has. */
export interface ReaderOf {
  readonly name: string;
  readonly filter: string;
  readonly matches: (topic: string) => boolean;
  /** Each has room of its own, so that none waits for what is less urgent. */
  readonly priority: number;
}

/** What of one priority was read and is not in flight, or is being read. */
class Room {
  items = 0;
  bytes = 0;
}

interface Reading {
  /** Of other readers, which have what these match. */
  readonly earlier: readonly ((topic: string) => boolean)[];
  readonly past: Past | undefined;
  readonly priority: number;
  /** Of the room. */
  readonly share: number;
  readonly paused: () => boolean;
}

export interface ReadAheadParts {
  readonly log: Log;
  readonly clock: Clock;
  /** A record that several match belongs to the first. */
  readonly readers: readonly ReaderOf[];
  /** The home has it, by way of another box. */
  readonly carried: (topic: string, seq: number) => boolean;
  readonly limits: { readonly ahead: number; readonly aheadBytes: number };
  readonly take: (cursor: Cursor, record: LogRecord, redelivered: boolean) => void;
  /** Whose a record of the topic is, when `cursor` gave it. */
  readonly owner: (cursor: Cursor, topic: string) => Cursor;
  /** Nothing can be sent of all that was read: only more helps. */
  readonly starved: () => boolean;
  /** A reader has read all there is. */
  readonly tail: (cursor: Cursor) => void;
  /** A reader has more to read than it asked for; it goes on when this resolves. */
  readonly more: (cursor: Cursor) => Promise<void>;
  /** A reader has nothing left behind any more. */
  readonly caughtUp: (cursor: Cursor) => void;
  readonly failed: (error: unknown) => void;
}

const PAGE = 256;
const AGAIN = 1_000;

export class ReadAhead {
  readonly #parts: ReadAheadParts;
  readonly #closing = new AbortController();
  readonly mains: Cursor[] = [];
  /** What mains have from cursors that were before them. */
  readonly #pasts = new Map<Cursor, Past>();
  readonly #horizons = new Map<Cursor, number>();
  readonly #loops = new Map<Cursor, Promise<void>>();
  readonly #left = new Map<Cursor, Promise<void>>();
  readonly #rooms = new Map<number, Room>();
  #waiting: (() => void)[] = [];
  /** Grows with each going back: a page asked for before it comes too early. */
  #turn = 0;
  /** With each of a reader's going elsewhere: what follows in a page that is being taken comes too early. */
  #jumps = 0;

  constructor(parts: ReadAheadParts) {
    this.#parts = parts;
    // One loop for each topic that is read alone listens to it.
    setMaxListeners(0, this.#closing.signal);
  }

  /** Of what cursors before it have done and seen; undefined where there were none. */
  pastOf(main: Cursor): Past | undefined {
    return this.#pasts.get(main);
  }

  /** Up to where those may have. */
  horizonOf(main: Cursor): number {
    return this.#horizons.get(main) ?? 0;
  }

  /** Opens the readers; nothing is read yet. */
  async open(): Promise<void> {
    const { log, readers } = this.#parts;
    for (const { name, filter } of readers) {
      const cursor = await log.cursor({ name, filter, from: 'start', durable: true });
      this.mains.push(cursor);
      const past = generationsOf(log.extra(name));
      if (past.length === 0) continue;
      if (cursor.position < horizonOf(past)) {
        this.#pasts.set(cursor, pastOf(past));
        this.#horizons.set(cursor, horizonOf(past));
      }
      else await log.annotate(name, undefined, false).catch(() => undefined); // it is dropped the next time
    }
  }

  start(): void {
    for (const [i, cursor] of this.mains.entries()) this.#begin(cursor, this.#reading(i, 1, () => false));
  }

  /** One more reader, of a topic that `main` had; while `paused` it takes nothing. What is live first has more room than what is not. */
  adopt(cursor: Cursor, main: Cursor, { paused, live }: { readonly paused: () => boolean; readonly live: boolean }): void {
    this.#begin(cursor, this.#reading(this.mains.indexOf(main), live ? 0.75 : 0.5, paused));
  }

  #reading(i: number, share: number, paused: () => boolean): Reading {
    const { readers } = this.#parts;
    const main = this.mains[i];
    return { earlier: readers.slice(0, i).map((reader) => reader.matches), past: main && this.#pasts.get(main), priority: readers[i]?.priority ?? 0, share, paused };
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.makeRoom();
    await Promise.all([...this.#loops.values(), ...this.#left.values()]);
    await Promise.all(this.mains.map((cursor) => cursor.close()));
  }

  #room(priority: number): Room {
    const room = this.#rooms.get(priority) ?? new Room();
    this.#rooms.set(priority, room);
    return room;
  }

  /** So much of the room is used: topics read alone leave half of it, so that what is new elsewhere is seen. */
  #full({ items, bytes }: Room, share: number): boolean {
    const { ahead, aheadBytes } = this.#parts.limits;
    return items >= ahead * share || bytes >= aheadBytes * share;
  }

  /** Nothing that was read waits, and nothing is being read. */
  get empty(): boolean {
    for (const { items } of this.#rooms.values()) if (items > 0) return false;
    return true;
  }

  queued({ rule }: Lane, entry: Entry): void {
    const room = this.#room(rule.priority);
    for (const { bytes } of partsOf(entry)) {
      room.items++;
      room.bytes += bytes;
    }
  }

  unqueued({ rule }: Lane, entry: Entry): void {
    const room = this.#room(rule.priority);
    for (const { bytes } of partsOf(entry)) {
      room.items--;
      room.bytes -= bytes;
    }
  }

  /** Lets the loops look whether they may go on. */
  makeRoom(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  /** These are read again, in order, before anything that follows them. */
  again(cursor: Cursor, seqs: readonly number[]): void {
    this.#turn++;
    for (const seq of seqs) cursor.again(seq);
    this.makeRoom();
  }

  /** All from `seq` on that is not done is read again, in order. */
  rewindTo(cursor: Cursor, seq: number): void {
    this.#jump();
    cursor.rewindTo(seq);
    this.makeRoom();
  }

  #jump(): void {
    this.#turn++;
    this.#jumps++;
  }

  /** It goes on from `seq`, and reads what it leaves behind with less of the room. */
  leap(cursor: Cursor, main: Cursor, seq: number, paused: () => boolean): void {
    this.#jump();
    cursor.leap(seq);
    if (this.#left.has(cursor)) return;
    this.#left.set(cursor, Promise.resolve());
    const loop = this.#leftLoop(cursor, this.#reading(this.mains.indexOf(main), 0.25, paused));
    // It may have found nothing, and be over.
    if (this.#left.has(cursor)) this.#left.set(cursor, loop);
  }

  /** From `seq` on it goes on only when nothing is left behind. */
  park(cursor: Cursor, seq: number): void {
    this.#jump();
    cursor.park(seq);
  }

  #begin(cursor: Cursor, options: Reading): void {
    // Entered before it runs, so that it is not taken for one that was retired.
    this.#loops.set(cursor, Promise.resolve());
    this.#loops.set(cursor, this.#loop(cursor, options));
  }

  async #loop(cursor: Cursor, reading: Reading): Promise<void> {
    const room = this.#room(reading.priority);
    const page = Math.min(PAGE, this.#parts.limits.ahead >> 2);
    const { owner, tail, more, failed } = this.#parts;
    const { signal } = this.#closing;
    while (!signal.aborted) {
      try {
        const waiting = this.#wait(room, reading);
        if (waiting) {
          await waiting;
          continue;
        }
        const turn = this.#turn;
        const deliveries = await this.#page(room, page, () => cursor.next(page));
        if (turn !== this.#turn) {
          // Something before it is read again: it must wait its turn.
          for (const { record } of deliveries) owner(cursor, record.topic).again(record.seq);
          continue;
        }
        if (deliveries.length === 0) {
          if (cursor.atTail) tail(cursor);
          await cursor.wait(signal);
        }
        this.#give(cursor, deliveries, reading);
        if (deliveries.length >= page) await more(cursor);
      } catch (error) {
        if (signal.aborted) return;
        // Its topic has caught up: whoever it came from reads on.
        if (error instanceof LanpostError && error.code === 'closed') break;
        failed(error);
        await this.#pause();
      }
    }
    this.#loops.delete(cursor);
  }

  /** Until there may be room, and leave, for another page; nothing when there is: it is taken before anybody else looks. */
  #wait(room: Room, { share, paused }: Reading): Promise<void> | undefined {
    if (!paused() && (!this.#full(room, share) || this.#parts.starved())) return undefined;
    return new Promise<void>((resolve) => { this.#waiting.push(resolve); });
  }

  /** Many loops may find the same room: a page takes its place before it is there. */
  async #page(room: Room, page: number, read: () => LogRecordDelivery[] | Promise<LogRecordDelivery[]>): Promise<LogRecordDelivery[]> {
    room.items += page;
    let deliveries: LogRecordDelivery[] = [];
    try {
      deliveries = await read();
    } finally {
      room.items -= page;
      // Whoever found it taken meanwhile may be the only one with anything left to read.
      if (deliveries.length < page) this.makeRoom();
    }
    return deliveries;
  }

  #give(cursor: Cursor, deliveries: readonly LogRecordDelivery[], { earlier, past }: Reading): void {
    const { take, owner, carried } = this.#parts;
    const jumps = this.#jumps;
    for (const { record, redelivered } of deliveries) {
      if (jumps !== this.#jumps) {
        owner(cursor, record.topic).again(record.seq);
        continue;
      }
      const before = past?.(record);
      if (before === 'done' || earlier.some((matches) => matches(record.topic))) cursor.done(record.seq);
      else if (carried(record.topic, record.seq)) owner(cursor, record.topic).done(record.seq);
      else take(cursor, record, redelivered || before === 'seen');
    }
  }

  async #leftLoop(cursor: Cursor, reading: Reading): Promise<void> {
    const room = this.#room(reading.priority);
    const page = Math.min(PAGE, this.#parts.limits.ahead >> 2);
    const { owner, failed } = this.#parts;
    const { signal } = this.#closing;
    while (!signal.aborted && cursor.hole) {
      try {
        const waiting = this.#wait(room, reading);
        if (waiting) {
          await waiting;
          continue;
        }
        const turn = this.#turn;
        const deliveries = await this.#page(room, page, () => cursor.nextLeft(page));
        if (turn !== this.#turn) for (const { record } of deliveries) owner(cursor, record.topic).again(record.seq);
        else this.#give(cursor, deliveries, reading);
        // Too much of it is open.
        if (deliveries.length === 0 && cursor.hole) await this.#pause();
      } catch (error) {
        if (signal.aborted || (error instanceof LanpostError && error.code === 'closed')) break;
        failed(error);
        await this.#pause();
      }
    }
    // In the turn in which it saw that nothing is left: what is left from now on has a loop of its own.
    this.#left.delete(cursor);
    if (!signal.aborted && !cursor.hole) this.#parts.caughtUp(cursor);
  }

  #pause(): Promise<void> {
    const { signal } = this.#closing;
    return new Promise<void>((resolve) => {
      const timer = this.#parts.clock.after(AGAIN, resolve);
      signal.addEventListener('abort', () => {
        timer.stop();
        resolve();
      }, { once: true });
    });
  }
}
