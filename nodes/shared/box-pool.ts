import type { Box } from '../../src/index.ts';

export interface BoxLease {
  readonly box: Box;
  /** `lost`: the box has gone away, so the next to ask gets a new one. */
  release(how?: { readonly lost?: boolean }): Promise<void>;
}

/** Who asks for a box: a config node, which may have been made anew since. */
export interface BoxUser {
  readonly id: string;
  /** How people know it. */
  readonly label: string;
}

interface Entry {
  readonly first: BoxUser;
  users: number;
  readonly opening: Promise<Box>;
  closing?: Promise<void>;
}

/** Boxes that this Node-RED opened, one per key (mode and directory); each belongs to one config node, and is closed with it. */
export class BoxPool {
  readonly #entries = new Map<string, Entry>();

  async take(key: string, user: BoxUser, open: () => Promise<Box>): Promise<BoxLease> {
    let entry = this.#entries.get(key);
    while (entry?.closing) {
      // A redeploy asks for the same directory while the old box still closes. How closing
      // went is told to whoever released it; the directory is free either way.
      await entry.closing.then(undefined, () => undefined);
      entry = this.#entries.get(key);
    }
    // Two of them would name it, let it be seen and close it in two ways.
    if (entry && entry.first.id !== user.id) throw new Error(`config node "${entry.first.label}" has this data directory: choose that one, or give this one another`);
    if (!entry) {
      entry = { first: user, users: 0, opening: open() };
      this.#entries.set(key, entry);
    }
    entry.users++;
    try {
      return this.#lease(key, entry, await entry.opening);
    } catch (error) {
      this.#forget(key, entry);
      throw error;
    }
  }

  #lease(key: string, entry: Entry, box: Box): BoxLease {
    let released = false;
    return {
      box,
      release: async ({ lost = false } = {}) => {
        if (released) return;
        released = true;
        entry.users--;
        if (lost) this.#forget(key, entry);
        if (entry.users > 0) return;
        entry.closing = box.close().finally(() => this.#forget(key, entry));
        await entry.closing;
      },
    };
  }

  #forget(key: string, entry: Entry): void {
    if (this.#entries.get(key) === entry) this.#entries.delete(key);
  }
}
