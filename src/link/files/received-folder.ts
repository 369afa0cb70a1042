import { constants } from 'node:fs';
import { type FileHandle, link, lstat, mkdir, open, opendir, readdir, realpath, rename, rm, unlink } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import { dirname, join } from 'node:path';
import type { Limits } from '../../api.ts';
import { LanpostError } from '../../errors.ts';
import { OneByOne } from '../../one-by-one.ts';
import { syncFolder } from '../../sync-folder.ts';
import { folderName, keyMark, numbered, safeFileName } from './file-name.ts';

export interface ReceivedFolderInit {
  /** The box's data directory. */
  readonly dir: string;
  readonly limits: Pick<Limits, 'fileBytes' | 'peerFilesBytes' | 'filesBytes' | 'diskFloor'>;
  /** Bytes free on its disk. */
  readonly free: () => Promise<number>;
}

/** A file on its way: nowhere to be seen under its name until it is all there. */
export interface Draft {
  write(bytes: Uint8Array): Promise<void>;
  /** All of it is on the disk, under a name that nothing had: where. Rejects when it has been given up by then, and nothing is there. */
  keep(ended: AbortSignal): Promise<string>;
  /** It will not be, unless it is kept by now. Idempotent. */
  discard(): Promise<void>;
}

/** Where what is on its way lies; no peer's folder can be called so. */
const ON_THE_WAY = '.incoming';
/** Files of one peer, however small. */
const PEER_FILES = 4_096;
/** Names tried for a file whose name is taken. */
const NAMES = 1_000;
/** So many bytes may be written before the disk is looked at again. */
const LOOK_EVERY = 4 << 20;
const NEW_FILE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | (constants.O_NOFOLLOW ?? 0);

/** `DIR/files`: what peers sent, a folder for each key, and for each name without one. Nothing is written outside of it, and nothing in it is overwritten. */
export class ReceivedFolder {
  readonly #init: ReceivedFolderInit;
  /** Bytes promised to what is on its way, by peer's folder. */
  readonly #promised = new Map<Draft, { readonly folder: string; readonly size: number; left: number }>();
  #swept: Promise<void> | undefined;
  /** Room is given to one at a time: two must not be promised the same. */
  readonly #turns = new OneByOne();

  constructor(init: ReceivedFolderInit) {
    this.#init = init;
  }

  /** Room for a file of that size from that peer, which has shown that key if it has one. Rejects with why there is none. */
  reserve(peer: string, name: string, size: number, fingerprint?: string): Promise<Draft> {
    return this.#turns.run(() => this.#reserve(peer, fingerprint, safeFileName(name), size));
  }

  async #reserve(peer: string, fingerprint: string | undefined, name: string, size: number): Promise<Draft> {
    const { limits } = this.#init;
    if (size > limits.fileBytes) throw new LanpostError('too-large', `a file may have ${limits.fileBytes} bytes, this one has ${size}`);
    const root = await this.#folder('files');
    this.#swept ??= this.#sweep();
    await this.#swept.catch((error: unknown) => {
      this.#swept = undefined;
      throw error;
    });
    const used = await usage(root);
    const promised = [...this.#promised.values()];
    const folders = [...used.keys(), ...promised.map((one) => one.folder)].toSorted();
    // A key keeps its folder when its name changes, and when the owner calls the folder something else in front of the mark.
    const folder = (fingerprint === undefined ? undefined : folders.find((one) => one.endsWith(keyMark(fingerprint)))) ?? folderName(peer, fingerprint);
    const mine = used.get(folder) ?? { bytes: 0, files: 0 };
    const ofPeer = promised.filter((one) => one.folder === folder);
    if (mine.files + ofPeer.length >= PEER_FILES || mine.bytes + sizes(ofPeer) + size > limits.peerFilesBytes) {
      throw new LanpostError('disk-full', `${join(root, folder)} is full: take something out of it`);
    }
    const all = [...used.values()].reduce((bytes, one) => bytes + one.bytes, 0);
    if (all + sizes(promised) + size > limits.filesBytes) throw new LanpostError('disk-full', `${root} is full: take something out of it`);
    await this.#room(size);
    return this.#draft(folder, name, size);
  }

  async #draft(folder: string, name: string, size: number): Promise<Draft> {
    const path = join(await this.#folder('files', ON_THE_WAY), randomBytes(8).toString('hex'));
    const file = await open(path, NEW_FILE, 0o600).catch((error: unknown) => { throw unwritable(error); });
    const place = { folder, size, left: size };
    let looked = 0;
    let keeping: Promise<string> | undefined;
    let over: Promise<void> | undefined;
    const close = (): Promise<void> => {
      over ??= (async () => {
        this.#promised.delete(draft);
        await file.close();
        await rm(path, { force: true });
      })();
      return over;
    };
    const keep = async (ended: AbortSignal): Promise<string> => {
      let kept: string | undefined;
      try {
        await file.sync();
        ended.throwIfAborted();
        kept = await this.#name(path, folder, name);
        await syncFolder(dirname(kept)); // the name itself lives in the folder
        await close();
        // To name it takes its time, too. This comes last, so that who is told that it is there has it.
        ended.throwIfAborted();
        return kept;
      } catch (error) {
        if (kept !== undefined) await unnamed(kept);
        throw error instanceof LanpostError || ended.aborted ? error : unwritable(error);
      } finally {
        await close();
      }
    };
    const draft: Draft = {
      write: async (bytes) => {
        looked += bytes.byteLength;
        if (looked >= LOOK_EVERY) {
          looked = 0;
          await this.#room(place.left, draft);
        }
        await writeAll(file, bytes);
        place.left = Math.max(0, place.left - bytes.byteLength);
      },
      keep: (ended) => (keeping = keep(ended)),
      discard: async () => {
        await keeping?.catch(() => undefined); // whoever would keep it is told
        await close();
      },
    };
    this.#promised.set(draft, place);
    return draft;
  }

  /** Gives the draft its name. A name that is there, as a file, a link or anything, is left alone. */
  async #name(draft: string, folder: string, name: string): Promise<string> {
    const place = await this.#folder('files', folder);
    for (let n = 1; n <= NAMES; n += 1) {
      const path = join(place, numbered(name, n));
      if (await moved(draft, path)) return path;
    }
    throw new LanpostError('disk-full', `${place} has ${NAMES} files called ${name}: take some out of it`);
  }

  /** A folder below the data directory, made when it is missing; never by way of a link that leads elsewhere. */
  async #folder(...names: readonly string[]): Promise<string> {
    let path = await realpath(this.#init.dir);
    for (const name of names) {
      path = join(path, name);
      await mkdir(path, { mode: 0o700 }).catch((error: unknown) => { if (codeOf(error) !== 'EEXIST') throw unwritable(error); });
      if (!(await lstat(path)).isDirectory()) throw new LanpostError('forbidden', `${path} is no folder of its own: nothing is stored by way of it`);
    }
    return path;
  }

  /** Room above the floor, for this and for what was promised to the others. */
  async #room(bytes: number, draft?: Draft): Promise<void> {
    const others = [...this.#promised].reduce((sum, [one, { left }]) => (one === draft ? sum : sum + left), 0);
    const free = await this.#init.free();
    if (free - bytes - others < this.#init.limits.diskFloor) throw new LanpostError('disk-full', 'the disk has no room for the file above the floor');
  }

  /** What was on its way when the box was last ended is not any more. */
  async #sweep(): Promise<void> {
    const folder = await this.#folder('files', ON_THE_WAY);
    for (const name of await readdir(folder)) await rm(join(folder, name), { force: true, recursive: true });
  }
}

function sizes(files: readonly { readonly size: number }[]): number {
  return files.reduce((all, { size }) => all + size, 0);
}

/** What each peer's folder holds. */
async function usage(root: string): Promise<Map<string, { readonly bytes: number; readonly files: number }>> {
  const used = new Map<string, { bytes: number; files: number }>();
  for await (const folder of await opendir(root)) {
    if (!folder.isDirectory() || folder.name === ON_THE_WAY) continue;
    const sum = { bytes: 0, files: 0 };
    for await (const entry of await opendir(join(root, folder.name))) {
      if (!entry.isFile()) continue;
      sum.files += 1;
      // The owner may take it away while it is looked at.
      sum.bytes += (await lstat(join(root, folder.name, entry.name)).catch(() => undefined))?.size ?? 0;
    }
    used.set(folder.name, sum);
  }
  return used;
}

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  try {
    for (let at = 0; at < bytes.byteLength;) at += (await file.write(bytes, at)).bytesWritten;
  } catch (error) {
    throw unwritable(error);
  }
}

/** Whether the file has that name now, which it gets only if there is nothing of that name: `rename` would take its place. */
async function moved(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    await unlink(from);
    return true;
  } catch (error) {
    const code = codeOf(error);
    if (code === 'EEXIST') return false;
    if (!['EPERM', 'ENOTSUP', 'ENOSYS', 'EOPNOTSUPP', 'EMLINK'].includes(code ?? '')) throw error;
  }
  // COMPAT(vfat, exfat): a file system without links. Nobody but the owner puts anything there meanwhile.
  if (await lstat(to).then(() => true, () => false)) return false;
  await rename(from, to);
  return true;
}

/** The name is taken back, for good. */
async function unnamed(path: string): Promise<void> {
  await rm(path, { force: true });
  await syncFolder(dirname(path));
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

function unwritable(cause: unknown): LanpostError {
  const full = ['ENOSPC', 'EDQUOT', 'EFBIG'].includes(codeOf(cause) ?? '');
  const message = cause instanceof Error ? cause.message : String(cause);
  return new LanpostError(full ? 'disk-full' : 'forbidden', full ? 'the disk is full' : `the file cannot be stored: ${message}`, { cause });
}
