// Everything of one home that is on its way up: topics, entries, and where each entry stands.
import type { Clock } from '../clock.ts';
import type { Cursor } from '../log/cursor.ts';
import type { Log } from '../log/log.ts';
import type { LogRecord } from '../log/record.ts';
import type { Trouble } from '../api.ts';
import { cursorName } from './cursor-name.ts';
import { HeldCursors } from './held-cursors.ts';
import { entryOf, Lane, type Entry } from './lane.ts';
import { ReadAhead } from './read-ahead.ts';
import type { HomeSession } from './session.ts';
import { Settling } from './settling.ts';

export interface UplinkLimits {
  /** Acknowledged this long ago on an unbroken session: settled; ms. */
  readonly settle: number;
  /** Bytes of one serialised stanza; more is put aside rather than kill the stream for all. */
  readonly stanza: number;
  /** Records and bytes read ahead of what is in flight. */
  readonly ahead: number;
  readonly aheadBytes: number;
  /** Records acknowledged and not settled, remembered at once. */
  readonly unsettled: number;
}

export interface UplinkOptions {
  readonly jid: string;
  readonly service: string;
  readonly filters: readonly string[];
  readonly log: Log;
  readonly clock: Clock;
  readonly trouble: (trouble: Trouble) => void;
  readonly limits: UplinkLimits;
}

export class Work {
  readonly options: UplinkOptions;
  readonly lanes: Map<string, Lane> = new Map();
  readonly known: Map<number, Entry> = new Map();
  readonly settling: Settling;
  readonly reading: ReadAhead;
  readonly #held: HeldCursors;
  /** The cursor that a topic comes from, and how far that has been read. */
  readonly #read = new Map<Cursor, number>();
  session: HomeSession | undefined;
  /** Grows with each session: answers to an earlier one mean nothing any more. */
  generation = 0;
  closed = false;
  readonly wake: (lane: Lane) => void;

  constructor(options: UplinkOptions, wake: (lane: Lane) => void) {
    this.options = options;
    this.wake = wake;
    const { log, clock, jid, filters, limits, trouble } = options;
    this.settling = new Settling({
      clock, settle: limits.settle, settled: (entry) => this.#settled(entry),
      ready: (entry) => this.lanes.get(entry.topic)?.readBack === false,
    });
    this.reading = new ReadAhead({
      log, clock, limits, readers: filters.map((filter) => ({ name: cursorName(jid, filter), filter })),
      full: () => this.known.size >= limits.unsettled,
      take: (cursor, record, redelivered) => this.#take(cursor, record, redelivered),
      tail: (cursor, head) => this.#tail(cursor, head),
      failed: (error) => trouble({ kind: 'home.read', message: `reading for ${jid} failed: ${String(error)}` }),
    });
    this.#held = new HeldCursors({
      jid, filters, log, reading: () => this.reading, paused: (lane) => this.#isHeld(lane),
      failed: (reason) => trouble({ kind: 'home.read', message: `a held topic of ${jid} could not be read apart: ${reason}` }),
    });
  }

  async start(): Promise<void> {
    // First those: their topics are none of the others' business.
    await this.#held.load((topic) => this.#laneOf(topic));
    await this.reading.start();
  }

  async close(): Promise<void> {
    this.closed = true;
    this.settling.pause();
    await Promise.all([...this.lanes.values()].map((lane) => lane.moving ?? Promise.resolve()));
    await this.reading.close();
  }

  #laneOf(topic: string): Lane {
    const lane = this.lanes.get(topic) ?? new Lane(topic);
    this.lanes.set(topic, lane);
    return lane;
  }

  #isHeld(lane: Lane): boolean {
    return lane.heldUntil > this.options.clock.mono();
  }

  #take(cursor: Cursor, record: LogRecord, redelivered: boolean): void {
    const { seq, topic, kind } = record;
    const own = this.#held.has(cursor);
    const lane = this.lanes.get(topic);
    if (lane?.own && !own) return cursor.done(seq);
    if (this.known.has(seq)) return;
    if (own && lane) {
      lane.ownRead = Math.max(lane.ownRead, seq);
      if (lane.skip && seq <= lane.skip.upTo && !lane.skip.left.has(seq)) return cursor.done(seq);
    }
    if (kind === 'gap' && !own) {
      const { from = seq, to = seq, reason = 'unknown' } = record.gap ?? {};
      this.options.trouble({ kind: 'home.gap', message: `records ${from} to ${to} were lost (${reason}) before ${this.options.jid} had them` });
    }
    // The home's node is the home's own: purging, deleting or configuring a topic here does not reach it.
    if ((kind !== 'publish' && kind !== 'retract') || (kind === 'retract' && record.id === undefined)) return cursor.done(seq);
    this.#enter(this.#laneOf(topic), cursor, { record, kind, redelivered });
  }

  #enter(lane: Lane, cursor: Cursor, { record, kind, redelivered }: { readonly record: LogRecord; readonly kind: Entry['kind']; readonly redelivered: boolean }): void {
    const { seq } = record;
    if (this.#isHeld(lane)) {
      // Left where it is, undone; the log is read again when the topic goes on.
      this.#leave(lane, cursor, record);
      this.#held.split(lane, cursor);
      return;
    }
    const entry = entryOf(cursor, record, kind, redelivered);
    this.known.set(seq, entry);
    lane.enqueue(entry);
    this.reading.queued(entry);
    this.wake(lane);
  }

  #leave(lane: Lane, cursor: Cursor, { seq, stamp }: { readonly seq: number; readonly stamp: LogRecord['stamp'] }): void {
    lane.overflow ??= stamp;
    if (cursor !== lane.own) {
      lane.main = cursor;
      lane.left.push(seq);
    }
  }

  #tail(cursor: Cursor, head: number): void {
    if (!this.#held.has(cursor)) this.#read.set(cursor, head);
    for (const [main, read] of this.#read) this.#held.merge(main, read);
  }

  /** The topic must wait: what `which` says of its queue goes back to where it came from. */
  leave(lane: Lane, which: (entry: Entry) => boolean = () => true): void {
    const leaving = lane.queue.filter(which);
    lane.queue = lane.queue.filter((entry) => !which(entry));
    for (const entry of leaving) {
      this.reading.unqueued(entry);
      this.forget(entry);
      this.#leave(lane, entry.cursor, entry);
    }
    this.reading.makeRoom();
  }

  /** A held topic goes to a cursor of its own as soon as nothing of it is under way. */
  split(lane: Lane): void {
    if (lane.main && this.#isHeld(lane)) this.#held.split(lane, lane.main);
  }

  queued(lane: Lane, entries: readonly Entry[]): void {
    for (const entry of entries) this.reading.queued(entry);
    lane.requeue(entries);
  }

  /** Empties the queue of a topic; its records stay in the log, undone. */
  unqueue(lane: Lane): Entry[] {
    const queue = lane.queue.splice(0);
    for (const entry of queue) {
      this.reading.unqueued(entry);
      this.forget(entry);
    }
    return queue;
  }

  acked(lane: Lane, entry: Entry): void {
    entry.record = undefined;
    entry.ackedAt = this.options.clock.mono();
    lane.acked.add(entry);
    this.settling.add(entry);
  }

  #settled(entry: Entry): void {
    const lane = this.lanes.get(entry.topic);
    lane?.acked.delete(entry);
    this.known.delete(entry.seq);
    entry.cursor.done(entry.seq);
    if (lane) {
      this.split(lane);
      for (const [main, read] of lane.own ? this.#read : []) this.#held.merge(main, read);
      if (lane.idle && !lane.created) this.lanes.delete(lane.topic);
    }
    this.reading.makeRoom();
  }

  forget(entry: Entry): void {
    this.settling.remove(entry);
    this.known.delete(entry.seq);
  }

  /** What was left in the log is read again, in order; what is known here is passed over. */
  release(lane: Lane): void {
    if (lane.moving) {
      // Not while it is between two cursors.
      lane.heldUntil = Infinity;
      void lane.moving.then(() => {
        this.release(lane);
        return this.wake(lane);
      });
      return;
    }
    lane.overflow = undefined;
    lane.heldUntil = 0;
    const cursors = [lane.own, lane.left.length > 0 ? lane.main : undefined];
    lane.left = [];
    for (const cursor of cursors) if (cursor) this.reading.rewind(cursor);
  }
}
