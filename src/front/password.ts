import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { chmod, lstat, mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { LanpostError } from '../index.ts';
import { syncFolder } from '../sync-folder.ts';
import { asOwner } from './as-owner.ts';
import { hasCode } from './system-error.ts';

export const LEAST_PASSWORD = 8;
export const MOST_PASSWORD = 1024;
/** scrypt (RFC 7914): 32 MiB and about a tenth of a second; what a stolen file costs to guess from. */
const COST = { N: 2 ** 15, r: 8, p: 1 } as const;
const KEY_BYTES = 32;

/** Where everything about who may come in is kept, within the data directory. */
export function webFolder(dir: string): string {
  return join(dir, 'web');
}

/** The password of a box's editor and status page, of which only a hash is kept. */
export class Password {
  readonly #file: string;
  #read: { readonly changed: number; readonly size: number; readonly line: string } | undefined;

  constructor(dir: string) {
    this.#file = join(webFolder(dir), 'password');
  }

  /** Changes with every change of it; undefined when there is none that can be read. */
  get version(): string | undefined {
    const line = this.#line();
    return line !== undefined && parse(line) ? line : undefined;
  }

  /** Asked at every request: a look at the file's date, so that a change counts at once. */
  #line(): string | undefined {
    try {
      const { mtimeMs: changed, size } = statSync(this.#file);
      if (this.#read?.changed !== changed || this.#read.size !== size) this.#read = { changed, size, line: readFileSync(this.#file, 'utf8').trim() };
      return this.#read.line;
    } catch {
      // None, or it went just now, or it is another user's: whoever has one cannot come in by it.
      this.#read = undefined;
      return undefined;
    }
  }

  async set(text: string): Promise<void> {
    const line = await hashed(text);
    const folder = dirname(this.#file);
    const dir = dirname(folder);
    await mkdir(dir, { recursive: true, mode: 0o700 });
    // The box has to read what root sets for it.
    await asOwner(dir, async () => {
      if (await mkdir(folder, { recursive: true, mode: 0o700 }) !== undefined) await syncFolder(dir);
      if (!(await lstat(folder)).isDirectory()) throw new LanpostError('forbidden', `${folder} is no folder of its own, but leads elsewhere: take it away first.`);
      await chmod(folder, 0o700);
      const fresh = `${this.#file}.${randomBytes(4).toString('hex')}`;
      try {
        const handle = await open(fresh, 'wx', 0o600);
        try {
          await handle.writeFile(`${line}\n`);
          await handle.sync();
        } finally {
          await handle.close();
        }
        await rename(fresh, this.#file);
      } catch (error) {
        await rm(fresh, { force: true });
        throw error;
      }
      await syncFolder(folder);
    });
  }

  /** Takes it back; whether there was one. */
  async clear(): Promise<boolean> {
    const folder = dirname(this.#file);
    try {
      await asOwner(dirname(folder), async () => {
        await rm(this.#file);
        // Whoever is told that it is gone does not find it again after a power cut.
        await syncFolder(folder);
      });
      return true;
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return false;
      throw error;
    }
  }

  /** The version that it fits, if it does. */
  async check(text: string): Promise<string | undefined> {
    const { version } = this;
    const kept = version === undefined ? undefined : parse(version);
    if (version === undefined || !kept || text.length > MOST_PASSWORD) return undefined;
    const given = await derive(text, kept.salt, kept.cost);
    return timingSafeEqual(given, kept.key) ? version : undefined;
  }
}

interface Cost { readonly N: number; readonly r: number; readonly p: number }

async function hashed(text: string): Promise<string> {
  const salt = randomBytes(16);
  const key = await derive(text, salt, COST);
  return ['scrypt', COST.N, COST.r, COST.p, salt.toString('base64url'), key.toString('base64url')].join('$');
}

function parse(line: string): { cost: Cost; salt: Buffer; key: Buffer } | undefined {
  const [, N, r, p, salt, key] = /^scrypt\$(\d{1,7})\$(\d{1,2})\$(\d{1,2})\$([\w-]{16,64})\$([\w-]{43})$/.exec(line) ?? [];
  if (N === undefined || salt === undefined || key === undefined) return undefined;
  return { cost: { N: Number(N), r: Number(r), p: Number(p) }, salt: Buffer.from(salt, 'base64url'), key: Buffer.from(key, 'base64url') };
}

/** The same characters may be typed in several forms: one of them is hashed (RFC 8265 §4.2 in short). */
function derive(text: string, salt: Buffer, cost: Cost): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    scrypt(text.normalize('NFC'), salt, KEY_BYTES, { ...cost, maxmem: 256 * 1024 * 1024 }, (error, key) => {
      if (error) reject(error);
      else resolve(key);
    });
  });
}
