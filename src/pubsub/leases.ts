import type { From } from '../api.ts';
import { LanpostError } from '../errors.ts';
import type { Cursor } from '../log/cursor.ts';
import type { Log } from '../log/log.ts';
import type { Lease } from './subscription.ts';

interface Shared {
  readonly cursor: Promise<Cursor>;
  readonly group: boolean;
  holders: number;
  turn: Promise<unknown>;
}

/** Who holds which cursor: one reader a durable name, or several that asked to share it. */
export class Leases {
  readonly #log: Log;
  readonly #held = new Map<string, Shared>();
  #liveReaders = 0;

  constructor(log: Log) {
    this.#log = log;
  }

  async live(filter: string, from: From): Promise<Lease> {
    this.#liveReaders += 1;
    const cursor = await this.#log.cursor({ name: `live:${this.#liveReaders}`, filter, from, durable: false });
    return { cursor, next: (max) => cursor.next(max), release: () => cursor.close() };
  }

  async durable(name: string, filter: string, from: From, group: boolean, admit: () => void): Promise<Lease> {
    let shared = this.#held.get(name);
    if (shared && !(group && shared.group)) {
      throw new LanpostError('in-use', `the durable subscription "${label(name)}" has a reader already; give both \`group\` to share it`);
    }
    if (!shared) {
      if (!this.#log.hasCursor(name)) admit();
      shared = { cursor: this.#log.cursor({ name, filter, from, durable: true }), group, holders: 0, turn: Promise.resolve() };
      this.#held.set(name, shared);
    }
    shared.holders += 1;
    const holding = shared;
    try {
      const cursor = await holding.cursor;
      if (cursor.filter !== filter) {
        throw new LanpostError('conflict', `the durable subscription "${label(name)}" reads ${cursor.filter}, not ${filter}; drop it or use another name`);
      }
      return { cursor, next: group ? inTurn(holding, cursor) : (max) => cursor.next(max), release: () => this.#release(name, holding) };
    } catch (error) {
      await this.#release(name, holding).catch(() => undefined); // the failure to open is the one to report
      throw error;
    }
  }

  async #release(name: string, shared: Shared): Promise<void> {
    shared.holders -= 1;
    if (shared.holders > 0) return;
    this.#held.delete(name);
    await (await shared.cursor).close();
  }
}

/** A cursor answers one call at a time; those who share it get one record a turn, so that each gets some. */
function inTurn(shared: Shared, cursor: Cursor): Lease['next'] {
  return () => {
    const turn = shared.turn.then(() => cursor.next(1));
    shared.turn = turn.catch(() => undefined); // whoever asked sees it
    return turn;
  };
}

function label(name: string): string {
  return name.slice(name.indexOf(':') + 1);
}
