import { PREFIX, recordKey } from './keys.ts';
import type { LogState } from './state.ts';

/** Bytes of files in a slice at rest: between two of them LevelDB does what it has put off meanwhile. */
const SLICE = 32 << 20;
/** Less garbage than this is not worth it at rest. */
const LEAST = 8 << 20;
/** What has less than this on disk is left as it is. */
const LITTLE = 1 << 20;
const ALL = [Uint8Array.of(0), Uint8Array.of(0xff)] as const;

/**
 * Gives deleted rows' space back to the disk, where LevelDB does not by itself. It mostly does: what is
 * written pushes the deletions down to what they delete. To compact while much is written wears the disk
 * out: each range that is compacted first has what is in memory moved into a table file, and rewrites what that
 * overlaps with. So then it is one range, of the records: they are nearly all there is to gain.
 */
export class Compaction {
  readonly #state: LogState;
  /** Bytes since it last ran, and since it was last considered. */
  #deleted = 0;
  #unconsidered = 0;
  /** The records that were deleted since it last ran lie from here to there. */
  #from = 0;
  #to = 0;
  #running: Promise<void> | undefined;
  #looking: Promise<void> | undefined;
  #stopped = false;
  /** Whether what earlier openings deleted has been looked at. */
  #looked = false;

  constructor(state: LogState) {
    this.#state = state;
  }

  deleted(seq: number, bytes: number): void {
    this.#from = Math.min(this.#from, seq);
    this.#to = Math.max(this.#to, seq);
    this.#deleted += bytes;
    this.#unconsidered += bytes;
  }

  /** While much is written: when much has been deleted, it is looked whether the files have too much. */
  consider(): Promise<void> {
    const { bytes, limits } = this.#state;
    if (this.#unconsidered <= bytes + limits.busyGarbageBytes) return this.#looking ?? Promise.resolve();
    return this.#look(() => 2 * this.#state.bytes + limits.busyGarbageBytes, () => this.#records());
  }

  /** Nothing has been written for a while: less is worth it now, and nobody is held up. */
  settle(): Promise<void> {
    const { limits } = this.#state;
    if (this.#looked && (this.#unconsidered === 0 || this.#deleted <= Math.max(Math.min(LEAST, limits.garbageBytes), this.#wanted))) return this.#looking ?? Promise.resolve();
    if (!this.#looked) this.#to = this.#state.head;
    this.#looked = true;
    // Besides the table files there is the WAL; and what only the window keeps, with its index, does not go.
    return this.#look(() => Math.max(2 * this.#wanted + limits.garbageBytes / 4, 1.25 * this.#state.bytes), () => this.#all());
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#looking?.catch(() => undefined); // whoever asked is told
    await this.#running;
  }

  /** Bytes that are kept for somebody; of those in the window that cannot be told. */
  get #wanted(): number {
    return Math.max(0, this.#state.bytes - this.#state.window.bytes);
  }

  /** Compacts if the files have more than that. */
  #look(most: () => number, compact: () => Promise<void>): Promise<void> {
    this.#looking ??= this.#measure(most, compact).finally(() => { this.#looking = undefined; });
    return this.#looking;
  }

  async #measure(most: () => number, compact: () => Promise<void>): Promise<void> {
    if (!this.#idle) return;
    this.#unconsidered = 0;
    const size = await this.#state.database.size(...ALL);
    if (!this.#idle || size <= most()) return;
    this.#deleted = 0;
    this.#running = this.#run(compact).finally(() => { this.#running = undefined; });
  }

  get #idle(): boolean {
    return !this.#running && !this.#stopped && !this.#state.reopening;
  }

  async #run(compact: () => Promise<void>): Promise<void> {
    try {
      await compact();
      if (!this.#state.reopening) return;
    } catch (error) {
      this.#state.trouble({ kind: 'log.compaction', message: `Space could not be given back: ${error instanceof Error ? error.message : String(error)}` });
    }
    // What was not got to is looked for anew.
    this.#from = 0;
    this.#looked = false;
  }

  /** Where records were deleted since it last ran. */
  #taken(): { readonly from: number; readonly to: number } {
    const taken = { from: this.#from, to: this.#to + 1 };
    this.#from = Infinity;
    this.#to = 0;
    return taken;
  }

  async #records(): Promise<void> {
    const { from, to } = this.#taken();
    if (from < to) await this.#range(recordKey(from), recordKey(to));
  }

  async #all(): Promise<void> {
    const { from, to } = this.#taken();
    if (from < to) await this.#slices(from, to);
    for (const prefix of [PREFIX.index, PREFIX.garbage, PREFIX.id]) await this.#range(Uint8Array.of(prefix), Uint8Array.of(prefix + 1));
  }

  async #slices(from: number, to: number): Promise<void> {
    const slices = Math.ceil(await this.#state.database.size(recordKey(from), recordKey(to)) / SLICE);
    const bound = (i: number): Uint8Array => recordKey(from + Math.floor(((to - from) * i) / slices));
    for (let i = 0; i < slices; i++) await this.#range(bound(i), bound(i + 1));
  }

  async #range(from: Uint8Array, to: Uint8Array): Promise<void> {
    const { database } = this.#state;
    if (this.#stopped || this.#state.reopening || await database.size(from, to) < LITTLE) return;
    await database.compact(from, to);
  }
}
