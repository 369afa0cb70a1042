import type { Timer } from '../clock.ts';
import { LanpostError } from '../errors.ts';
import { ROOM_FLOOR } from './limits.ts';
import type { LogState } from './state.ts';

const CHECK_INTERVAL = 1000;
const CHECK_BYTES = 8 << 20;
/** LevelDB writes up to two memtables while it reopens. */
const REOPEN_ROOM = 10 << 20;

/**
 * Whether anything may be written. Below the floor appends are refused and all else goes on; so do those that make
 * room, down to a floor of their own: else nobody could take anything away from a full disk.
 * After a failed write nothing is written at all: LevelDB would append behind a torn WAL record
 * and lose everything after it. Only closing and reopening the database mends that.
 */
export class DiskGuard {
  /** A write failed; nothing may be written before the database has been reopened. */
  broken = false;
  /** It failed because of what is on the disk: opening that again does not mend it. */
  damaged = false;
  readonly #state: LogState;
  readonly #reopen: () => Promise<void>;
  #reason: string | undefined;
  /** Below the floor, but not so far that nothing more can be taken away. */
  #mayMakeRoom = false;
  #checkedAt = -Infinity;
  #written = 0;
  #timer: Timer | undefined;
  /** Looking whether writing may go on, and seeing to it. */
  #looking: Promise<void> | undefined;
  #stopped = false;

  constructor(state: LogState, reopen: () => Promise<void>) {
    this.#state = state;
    this.#reopen = reopen;
  }

  get reason(): string | undefined {
    return this.#reason;
  }

  /** `makesRoom`: of what takes something away. */
  refusal(makesRoom: boolean = false): LanpostError | undefined {
    if (makesRoom && this.#mayMakeRoom && !this.broken) return undefined;
    return this.#reason === undefined ? undefined : new LanpostError('disk-full', this.#reason);
  }

  wrote(bytes: number): void {
    this.#written += bytes;
  }

  /** Before a batch: looks at the disk at most each second or every few MiB. */
  async check(): Promise<LanpostError | undefined> {
    const now = this.#state.clock.mono();
    if (now - this.#checkedAt < CHECK_INTERVAL && this.#written < CHECK_BYTES) return this.refusal();
    this.#checkedAt = now;
    this.#written = 0;
    this.#judge(await this.#free());
    return this.refusal();
  }

  /** Below which nothing at all is taken. */
  get #lowest(): number {
    return Math.min(ROOM_FLOOR, this.#state.limits.diskFloor / 2);
  }

  #judge(free: number): void {
    const { diskFloor } = this.#state.limits;
    this.#mayMakeRoom = free >= this.#lowest;
    if (free < diskFloor) {
      this.#refuse(`The disk has ${mib(free)} MiB free, less than the floor of ${mib(diskFloor)} MiB; nothing is stored until there is more. `
        + '`lanpost subscriptions list` says what is kept for whom, `lanpost subscriptions drop` and `lanpost purge` let go of it.');
    } else if (!this.broken) this.#resume();
  }

  failed(error: unknown): void {
    this.broken = true;
    this.damaged ||= error instanceof LanpostError && error.code === 'corrupt';
    const text = error instanceof Error ? error.message : String(error);
    // Readers go on although how far they get cannot be written: the next opening has to know.
    this.#state.database.witness(this.#state.head, true);
    this.#refuse(`A write failed (${text}); nothing is stored until the disk has room and the log has been reopened.`);
  }

  /** The log ends: nothing is reopened any more once this resolves. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#rest();
    await this.#looking;
  }

  #rest(): void {
    this.#timer?.stop();
    this.#timer = undefined;
  }

  #refuse(reason: string): void {
    if (this.#reason === undefined) this.#state.trouble({ kind: 'log.refusing', message: reason, code: 'disk-full' });
    this.#reason = reason;
    if (!this.#stopped) this.#timer ??= this.#state.clock.every(CHECK_INTERVAL, () => this.#look());
  }

  #resume(): void {
    if (this.#reason === undefined) return;
    this.#reason = undefined;
    this.#rest();
    this.#state.trouble({ kind: 'log.resumed', message: 'There is room on the disk again; the log takes records.' });
  }

  /** A disk that cannot be asked is taken to have room: the write itself will tell. */
  async #free(): Promise<number> {
    try {
      return await this.#state.database.free();
    } catch (error) {
      this.#state.trouble({ kind: 'log.statfs', message: `The disk cannot be asked for its room: ${error instanceof Error ? error.message : String(error)}` });
      return Infinity;
    }
  }

  #look(): void {
    this.#looking ??= this.#again().finally(() => { this.#looking = undefined; });
  }

  async #again(): Promise<void> {
    try {
      const free = await this.#free();
      if (this.broken) {
        if (free < Math.max(REOPEN_ROOM, this.#lowest)) return;
        await this.#reopen();
        this.broken = false;
      }
      this.#judge(free);
    } catch (error) {
      this.#state.trouble({ kind: 'log.reopen', message: `The log could not be reopened: ${error instanceof Error ? error.message : String(error)}` });
    }
  }
}

function mib(bytes: number): number {
  return Math.floor(bytes / (1 << 20));
}
