import { PREFIX, recordKey } from './keys.ts';
import type { LogState } from './state.ts';

const SLICES = 16;
/** Less than this is not worth it. */
const LEAST = 1 << 20;
const ALL = [Uint8Array.of(0), Uint8Array.of(0xff)] as const;

/** Gives deleted rows' space back to the disk when there is more of it than of live rows. */
export class Compaction {
  readonly #state: LogState;
  #deleted = 0;
  #running: Promise<void> | undefined;
  #settling: Promise<void> | undefined;
  #stopped = false;
  /** Whether what earlier openings deleted has been looked at. */
  #looked = false;

  constructor(state: LogState) {
    this.#state = state;
  }

  deleted(bytes: number): void {
    this.#deleted += bytes;
  }

  consider(): void {
    const { bytes, limits } = this.#state;
    if (this.#running || this.#stopped || this.#deleted <= bytes + limits.garbageBytes) return;
    this.#begin();
  }

  #begin(): void {
    this.#deleted = 0;
    this.#running = this.#run().finally(() => { this.#running = undefined; });
  }

  /** Nothing has been written for a while: less is worth it now, and nobody is held up. */
  settle(): Promise<void> {
    this.#settling ??= this.#settle().finally(() => { this.#settling = undefined; });
    return this.#settling;
  }

  async #settle(): Promise<void> {
    const { database, bytes, limits } = this.#state;
    if (this.#running || this.#stopped || this.#state.reopening) return;
    const before = this.#looked ? 0 : await database.size(...ALL);
    this.#looked = true;
    if (this.#running || this.#stopped) return;
    if (this.#deleted > Math.max(Math.min(LEAST, limits.garbageBytes), bytes) || before > 2 * bytes + limits.garbageBytes) this.#begin();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#settling?.catch(() => undefined); // whoever asked is told
    await this.#running;
  }

  async #run(): Promise<void> {
    const { database, trouble } = this.#state;
    const head = this.#state.head + 1;
    try {
      for (let i = 0; i < SLICES; i++) {
        if (this.#stopped || this.#state.reopening) return;
        await database.compact(recordKey(Math.floor((head * i) / SLICES)), recordKey(Math.floor((head * (i + 1)) / SLICES)));
      }
      for (const prefix of [PREFIX.index, PREFIX.garbage, PREFIX.id]) {
        if (this.#stopped || this.#state.reopening) return;
        await database.compact(Uint8Array.of(prefix), Uint8Array.of(prefix + 1));
      }
    } catch (error) {
      trouble({ kind: 'log.compaction', message: `Space could not be given back: ${error instanceof Error ? error.message : String(error)}` });
    }
  }
}
