// A topic that waits for somebody is read by a cursor of its own, so that the one it came from can go on:
// a cursor remembers only so many holes. It lives on disk, until the topic has caught up again.
import type { Cursor } from '../log/cursor.ts';
import { matches } from '../log/filter.ts';
import type { Log } from '../log/log.ts';
import { heldName, heldNames } from './cursor-name.ts';
import type { Lane } from './lane.ts';
import { reasonOf } from './reason.ts';
import type { ReadAhead } from './read-ahead.ts';

/** Per home; the topics beyond it are left in the cursor they came from. */
const MOST = 1000;

export interface HeldCursorsParts {
  readonly jid: string;
  readonly filters: readonly string[];
  readonly log: Log;
  readonly reading: () => ReadAhead;
  readonly paused: (lane: Lane) => boolean;
  readonly failed: (reason: string) => void;
}

export class HeldCursors {
  readonly #parts: HeldCursorsParts;
  readonly #lanes = new Map<Cursor, Lane>();

  constructor(parts: HeldCursorsParts) {
    this.#parts = parts;
  }

  has(cursor: Cursor): boolean {
    return this.#lanes.has(cursor);
  }

  /** What earlier processes left. */
  async load(laneOf: (topic: string) => Lane): Promise<void> {
    const { log, jid, filters } = this.#parts;
    for (const name of heldNames(log, jid, filters)) {
      const topic = name.slice(heldName(jid, '').length);
      this.#adopt(laneOf(topic), await log.cursor({ name, filter: topic, from: 'start', durable: true }));
    }
  }

  #adopt(lane: Lane, cursor: Cursor): void {
    lane.own = cursor;
    this.#lanes.set(cursor, lane);
    this.#parts.reading().adopt(cursor, () => this.#parts.paused(lane));
  }

  /** A held topic with nothing under way: what was left of it, and all that follows, is for a cursor of its own. */
  split(lane: Lane, main: Cursor): void {
    const [first] = lane.left;
    if (first === undefined || lane.own || lane.moving || lane.busy || this.#lanes.size >= MOST) return;
    const { log, jid, failed } = this.#parts;
    lane.moving = log.cursor({ name: heldName(jid, lane.topic), filter: lane.topic, from: { seq: first }, durable: true }).then((cursor) => {
      // It is on disk; not before this may the main one pass over what was left.
      const left = new Set(lane.left);
      lane.skip = { upTo: lane.left.at(-1) ?? first, left };
      lane.left = [];
      this.#adopt(lane, cursor);
      for (const seq of left) main.done(seq);
      return undefined;
    }).catch((error: unknown) => failed(reasonOf(error))).finally(() => { lane.moving = undefined; });
  }

  /** The topics that have caught up go back to the cursor they came from, where that has read as far. */
  merge(main: Cursor, mainRead: number): void {
    for (const [cursor, lane] of this.#lanes) {
      if (lane.busy || lane.moving || lane.overflow !== undefined || !matches(main.filter, lane.topic)) continue;
      if (cursor.unconfirmed > 0 || cursor.position < this.#parts.log.head || mainRead < lane.ownRead) continue;
      this.#lanes.delete(cursor);
      lane.own = undefined;
      lane.skip = undefined;
      lane.moving = this.#drop(cursor, main).finally(() => { lane.moving = undefined; });
    }
  }

  async #drop(cursor: Cursor, main: Cursor): Promise<void> {
    const { log, reading, failed } = this.#parts;
    try {
      await reading().retire(cursor);
      // That it passed over the topic's records must be known before the other forgets them.
      await main.flush();
      await log.dropCursor(cursor.name);
    } catch (error) {
      failed(reasonOf(error));
    }
  }
}
