import { closeSync, fdatasyncSync, openSync, readSync, type Stats, writeSync } from 'node:fs';
import { mkdir, readdir, readFile, stat, statfs } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { crc32 } from 'node:zlib';
import type * as library from 'level';
import { LanpostError } from '../errors.ts';
import { syncFolder } from '../sync-folder.ts';
import type { Batch, Database, RangeOptions, Row } from './database.ts';
import { PREFIX, getSeq, getU32, putSeq, putU32 } from './keys.ts';
import { MEMTABLE_BYTES, TABLE_BYTES } from './limits.ts';
import { openingFailed, TO_REPAIR } from './open-database.ts';
import { condemn, tableDamage, type TableDamage } from './table-file.ts';

// Required, not imported: to import CommonJS, Node looks for the names of its exports with a parser written in
// JavaScript. On these files that runs hot enough to be compiled, which takes 5 MiB that are not given back (measured).
const { Level }: typeof library = createRequire(import.meta.url)('level');

type Level = library.Level<Uint8Array, Uint8Array>;

const WITNESS_BYTES = 13;
/** Flags of the witness: readers may be further than their cursors say; nothing was written after it. */
const SUSPECT = 1, CLEAN = 2;
/**
 * Of the newest table files that are read through, and so many after a clean end: of a block that is not what was written LevelDB may
 * leave out rows without a word, and it can end the process when it compacts it.
 */
const VERIFIED_BYTES = 128 << 20;
const CLEAN_VERIFIED_BYTES = 32 << 20;
const TABLE = /^\d+\.(?:ldb|sst)$/;
/** What no store is without. */
const STORE = /^(?:CURRENT|MANIFEST-\d+|\d+\.(?:ldb|sst|log))$/;
const REPAIR_ROOM = 10 << 20;

/** The database port over LevelDB. */
export class LevelDatabase implements Database {
  readonly location: string;
  #open: Level | undefined;
  #witness: number | undefined;
  #replayed = 0;
  /** Which folder it was at the first opening: a name may come to be another's, or nobody's. */
  #place: string | undefined;
  #witnessBytes = new Uint8Array(WITNESS_BYTES);
  readonly #memtableBytes: number;

  /** With a smaller memtable its files rotate, and are compacted, sooner. */
  constructor(location: string, memtableBytes: number = MEMTABLE_BYTES) {
    this.location = location;
    this.#memtableBytes = memtableBytes;
  }

  async open(): Promise<void> {
    if (this.#open) return;
    try {
      await this.#openHere();
    } catch (error) {
      throw openingFailed(error, this.location);
    }
  }

  async #openHere(): Promise<void> {
    const witness = join(this.location, 'WITNESS');
    const again = this.#place !== undefined;
    if (again) await this.#assertPlace();
    else {
      const made = await mkdir(this.location, { recursive: true, mode: 0o700 });
      if (made !== undefined) await syncFolder(dirname(made));
      this.#place = await placeOf(this.location);
    }
    await assertNotForgotten(this.location);
    const replayed = await walBytes(this.location);
    const clean = await closedCleanly(witness);
    const verified = clean ? CLEAN_VERIFIED_BYTES : VERIFIED_BYTES;
    const suspects = await this.#damaged(await tablesIn(this.location), verified);
    // It begins to compact as soon as it is open: a block that it cannot take for one of its own ends that, and not the process.
    for (const { path, damage } of suspects) await condemn(path, damage.blocks);
    const tables = suspects.length > 0 ? await tablesIn(this.location) : [];
    // Only now: a Level opens, and so locks, by itself once it is made.
    const db = new Level<Uint8Array, Uint8Array>(this.location, { keyEncoding: 'view', valueEncoding: 'view', createIfMissing: !again, writeBufferSize: this.#memtableBytes, maxFileSize: TABLE_BYTES });
    try {
      await db.open();
    } catch (error) {
      throw openError(error, this.location);
    }
    try {
      // Those that were only begun when the process was killed are gone now.
      if ((await this.#damaged(tables, verified)).length > 0) throw new LanpostError('corrupt', `${this.location} is damaged.`);
      // LevelDB renames CURRENT and leaves that to the disk: what is acknowledged from now on hangs by it.
      await syncFolder(this.location);
      await this.#openWitness(witness, clean);
    } catch (error) {
      this.#closeWitness();
      // What is left open stays locked, also to the next try of this process.
      await db.close();
      throw error;
    }
    this.#open = db;
    this.#replayed = replayed;
  }

  async #openWitness(path: string, clean: boolean): Promise<void> {
    // Not 'a+' for good: appending mode ignores the position on Linux.
    closeSync(openSync(path, 'a+', 0o600));
    this.#witness = openSync(path, 'r+');
    if (!clean) return;
    const { head, suspect } = await this.witnessed();
    this.witness(head, suspect);
    fdatasyncSync(this.#witness);
  }

  #closeWitness(): void {
    if (this.#witness !== undefined) closeSync(this.#witness);
    this.#witness = undefined;
  }

  async close(): Promise<void> {
    await this.#open?.close();
    this.#open = undefined;
    if (this.#witness === undefined) return;
    try {
      const { head, suspect } = await this.witnessed();
      if (head > 0) this.#note(head, (suspect ? SUSPECT : 0) | CLEAN);
    } finally {
      this.#closeWitness();
    }
  }

  get replayed(): number {
    return this.#replayed;
  }

  async repair(): Promise<void> {
    // `level` re-exports classic-level without declaring its statics.
    if (!('repair' in Level) || typeof Level.repair !== 'function') throw new LanpostError('unsupported', 'This database cannot be repaired.');
    await this.#assertPlace();
    // What LevelDB cannot write anew it would put away.
    if (await this.free() < await walBytes(this.location) + REPAIR_ROOM) throw new LanpostError('disk-full', `${this.location} is damaged, and there is no room to repair it.`);
    for (const { path, damage } of await this.#damaged(await tablesIn(this.location), Infinity)) await condemn(path, damage.blocks);
    try {
      await Level.repair(this.location);
    } catch (error) {
      throw openError(error, this.location);
    }
  }

  /** Nothing is made in its place: what was acknowledged is elsewhere now, and the positions of a fresh store would be given twice. */
  async #assertPlace(): Promise<void> {
    const place = await placeOf(this.location).catch((error: unknown) => {
      if (!isMissing(error)) throw error; // a disk that cannot say
      return undefined;
    });
    const names = place === undefined || place !== (this.#place ?? place) ? [] : await readdir(this.location);
    if (names.some((name) => STORE.test(name))) return;
    throw new LanpostError('disk-full', `${this.location} is not there any more, or another folder has its name: put back what was there, or stop the box.`);
  }

  /** Which of these are not whole: so many bytes of the first are looked at, of the others the rows without a checksum of their own. */
  async #damaged(tables: readonly Table[], bytes: number): Promise<{ path: string; damage: TableDamage }[]> {
    const damaged: { path: string; damage: TableDamage }[] = [];
    let left = bytes;
    for (const table of tables) {
      const path = join(this.location, table.name);
      try {
        if (!isSame(table, await stat(path))) continue;
        const damage = await tableDamage(path, left > 0 ? () => true : vital);
        left -= table.size;
        if (damage.whole || damage.blocks.length > 0) damaged.push({ path, damage });
      } catch (error) {
        if (!isMissing(error)) throw error; // nobody's any more, or compacted meanwhile
      }
    }
    return damaged;
  }

  async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    return this.#db.get(key).catch(readFailed);
  }

  async getMany(keys: Uint8Array[]): Promise<(Uint8Array | undefined)[]> {
    return this.#db.getMany(keys).catch(readFailed);
  }

  batch(): Batch {
    // A chained batch, because an array of operations costs five times the processor time
    // (measured: classic-level looks up three properties per operation through Node-API).
    const batch = this.#db.batch();
    return {
      put: (key, value) => void batch.put(key, value),
      del: (key) => void batch.del(key),
      write: ({ sync }) => batch.write({ sync }).catch(readFailed),
      discard: () => batch.close(),
    };
  }

  async range(options: RangeOptions): Promise<Row[]> {
    const { bytes = Infinity, ...range } = options;
    const iterator = this.#db.iterator({ ...range, highWaterMarkBytes: Math.min(bytes, 1 << 20) });
    try {
      const rows: Row[] = [];
      let held = 0;
      while (rows.length < options.limit && held < bytes) {
        const page = await iterator.nextv(options.limit - rows.length);
        if (page.length === 0) break;
        for (const [key, value] of page) {
          rows.push([key, value]);
          held += value.length;
          if (held >= bytes) break;
        }
      }
      return rows;
    } catch (error) {
      return readFailed(error);
    } finally {
      await iterator.close();
    }
  }

  async compact(from: Uint8Array, to: Uint8Array): Promise<void> {
    if (isNative(this.#db)) await this.#db.compactRange(from, to);
  }

  async size(from: Uint8Array, to: Uint8Array): Promise<number> {
    return isNative(this.#db) ? this.#db.approximateSize(from, to) : 0;
  }

  async free(): Promise<number> {
    const { bavail, bsize } = await statfs(this.location);
    return bavail * bsize;
  }

  witness(head: number, suspect: boolean = false): void {
    this.#note(head, suspect ? SUSPECT : 0);
  }

  #note(head: number, flags: number): void {
    if (this.#witness === undefined) return;
    const bytes = this.#witnessBytes;
    putSeq(bytes, 0, head);
    bytes[8] = flags;
    putU32(bytes, 9, crc32(bytes.subarray(0, 9)));
    try {
      writeSync(this.#witness, bytes, 0, WITNESS_BYTES, 0);
    } catch {
      // It is written in place and needs no room; if that fails all the same, what it would
      // have told is lost, and nothing else: the next batch tells of a disk that cannot write.
    }
  }

  async witnessed(): Promise<{ head: number; suspect: boolean }> {
    const bytes = new Uint8Array(WITNESS_BYTES);
    const read = this.#witness === undefined ? 0 : readSync(this.#witness, bytes, 0, WITNESS_BYTES, 0);
    if (read !== WITNESS_BYTES || !isWitness(bytes)) return { head: 0, suspect: false };
    return { head: getSeq(bytes, 0), suspect: (bytes[8]! & SUSPECT) !== 0 };
  }

  get #db(): Level {
    if (!this.#open) throw new LanpostError('closed', `${this.location} is not open.`);
    return this.#open;
  }
}

interface Native {
  compactRange(from: Uint8Array, to: Uint8Array): Promise<void>;
  approximateSize(from: Uint8Array, to: Uint8Array): Promise<number>;
}

/** What classic-level adds to `level`'s common interface. */
function isNative(db: object): db is Native {
  return 'compactRange' in db && 'approximateSize' in db;
}

function isWitness(bytes: Uint8Array): boolean {
  return bytes.length === WITNESS_BYTES && getU32(bytes, 9) === crc32(bytes.subarray(0, 9));
}

async function closedCleanly(witness: string): Promise<boolean> {
  const bytes = await readFile(witness).catch(() => new Uint8Array()); // not there: nobody says so
  return isWitness(bytes) && (bytes[8]! & CLEAN) !== 0;
}

/** Records and what lists them: a damaged one is told apart by itself when it is read, and counted when it is mended. */
const CHECKED_LATER: ReadonlySet<number> = new Set([PREFIX.record, PREFIX.index]);

/** Whether the block may hold rows that have no checksum of their own. */
function vital(after: Uint8Array, to: Uint8Array): boolean {
  const first = after[0] ?? 0;
  return first !== to[0] || !CHECKED_LATER.has(first);
}

/** LevelDB takes a folder without CURRENT for an empty one, and deletes what it finds there. */
async function assertNotForgotten(location: string): Promise<void> {
  const names = await readdir(location);
  if (names.includes('CURRENT') || !names.some((name) => TABLE.test(name))) return;
  throw new LanpostError('corrupt', `${location} has lost the file CURRENT.`);
}

/** A table file as it was before LevelDB opened. */
interface Table extends Pick<Stats, 'ino' | 'size' | 'ctimeMs'> { readonly name: string }

/** Newest first. */
async function tablesIn(location: string): Promise<Table[]> {
  const names = (await readdir(location)).filter((name) => TABLE.test(name));
  names.sort((a, b) => Number.parseInt(b, 10) - Number.parseInt(a, 10));
  const found: Table[] = [];
  for (const name of names) {
    try {
      const { ino, size, ctimeMs } = await stat(join(location, name));
      found.push({ name, ino, size, ctimeMs });
    } catch (error) {
      if (!isMissing(error)) throw error; // whoever has it open has let it go
    }
  }
  return found;
}

/**
 * What a table holds is never written anew. But of one that was only begun when the process was killed nobody knows: opening deletes it,
 * and its number is given to another, which may just be written.
 */
function isSame(one: Table, other: Stats): boolean {
  return one.ino === other.ino && one.size === other.size && one.ctimeMs === other.ctimeMs;
}

async function placeOf(location: string): Promise<string> {
  const { dev, ino } = await stat(location, { bigint: true });
  return `${dev}:${ino}`;
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

/** LevelDB's WAL is the files `*.log`, before it is opened; opening moves what is in them into table files. */
async function walBytes(location: string): Promise<number> {
  const names = await readdir(location);
  const sizes = await Promise.all(names.filter((name) => name.endsWith('.log')).map(async (name) => (await stat(join(location, name))).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}

function readFailed(error: unknown): never {
  if (!isCorruption(error)) throw error;
  throw new LanpostError('corrupt', `Stored data is damaged${TO_REPAIR}`, { cause: error });
}

function isCorruption(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'LEVEL_CORRUPTION';
}

function openError(error: unknown, location: string): LanpostError {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  if (code === 'LEVEL_LOCKED') {
    return new LanpostError('locked', `${location} is in use by another process; stop that one first, or choose another data directory.`, { cause });
  }
  if (code === 'LEVEL_CORRUPTION') return new LanpostError('corrupt', `${location} is damaged.`, { cause });
  // Whatever else it is, the data may be whole: nothing is repaired because a disk would not be read or written.
  const text = cause instanceof Error ? cause.message : String(cause);
  if (/no such file/i.test(text)) return new LanpostError('corrupt', `${location} is damaged: ${text}`, { cause });
  if (/permission denied|not permitted|read-only/i.test(text)) return new LanpostError('forbidden', `${location} cannot be opened: ${text}. It must belong to the user that runs the box.`, { cause });
  return new LanpostError('disk-full', `${location} cannot be opened, and was left as it is: ${text}. Put that right, then start the box again.`, { cause });
}
