// A topic that waits for somebody gets a cursor of its own within the home's subscription, so that nothing of
// the others waits with it. It lives on disk, until the topic has caught up again.
import type { Cursor } from '../log/cursor.ts';
import type { Lane } from './lane.ts';
import type { ReadAhead } from './read-ahead.ts';
import { reasonOf } from './reason.ts';

export interface HeldLanesParts {
  readonly reading: () => ReadAhead;
  readonly paused: (lane: Lane) => boolean;
  /** What is live goes before its backlog. */
  readonly live: (lane: Lane) => boolean;
  /** It has a cursor of its own from now on. */
  readonly parted: (lane: Lane, own: Cursor) => void;
  /** It is where it was, and something was given back meanwhile. */
  readonly stayed: (lane: Lane) => void;
  readonly failed: (reason: string) => void;
}

export class HeldLanes {
  readonly #parts: HeldLanesParts;
  readonly #adopted = new WeakSet<Cursor>();

  constructor(parts: HeldLanesParts) {
    this.#parts = parts;
  }

  /** What is not done of the topic, and all that follows, is for a cursor of its own. */
  split(lane: Lane): void {
    if (lane.own || lane.moving || lane.together) return;
    const moved = this.apart(lane).catch((error: unknown) => {
      lane.together = true;
      lane.behind = false;
      this.#parts.failed(reasonOf(error));
    });
    this.#moving(lane, moved);
  }

  /** The same, waited for. Whoever asked may have changed their mind meanwhile: its cursor is read all the same. */
  async apart(lane: Lane): Promise<void> {
    this.adopt(lane, await lane.main.hold(lane.topic));
  }

  /** Reads from its own cursor what it was not given yet, as soon as it need not wait any more. */
  adopt(lane: Lane, own: Cursor): void {
    if (this.#adopted.has(own)) return;
    this.#adopted.add(own);
    const { reading, paused, live, parted } = this.#parts;
    parted(lane, own);
    const left = lane.left.splice(0);
    reading().again(own, left);
    reading().adopt(own, lane.main, { paused: () => paused(lane), live: live(lane) });
  }

  /** A topic that has caught up goes back to where it came from. */
  merge(lane: Lane): void {
    const { own } = lane;
    if (!own || lane.moving || lane.busy || lane.takenAt !== undefined || own.unconfirmed > 0 || this.#parts.paused(lane)) return;
    const moved = lane.main.unhold(lane.topic).then(() => undefined).catch((error: unknown) => this.#parts.failed(reasonOf(error)));
    this.#moving(lane, moved);
  }

  /** Whichever way it goes: what was given back meanwhile is not forgotten. */
  #moving(lane: Lane, moved: Promise<void>): void {
    lane.moving = moved.finally(() => {
      lane.moving = undefined;
      if (lane.left.length > 0) this.#parts.stayed(lane);
    });
  }
}
