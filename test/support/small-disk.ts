import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, truncateSync, writeSync } from 'node:fs';
import { join } from 'node:path';

const CHUNKS = [1 << 20, 1 << 16, 1 << 12, 1];

/** A disk of a few MiB, mounted at a directory, that can really run full. As root. */
export class SmallDisk implements Disposable {
  readonly #dir: string;
  readonly #filler: string;

  constructor(dir: string, megabytes: number) {
    this.#dir = dir;
    this.#filler = join(dir, 'filler');
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m,mode=700`, 'lanpost-test', dir]);
  }

  /** Somebody else takes all there is: not one byte can be written. */
  fill(): void {
    const file = openSync(this.#filler, 'a', 0o600);
    try {
      for (const size of CHUNKS) while (wrote(file, Buffer.alloc(size, 1)));
    } finally {
      closeSync(file);
    }
  }

  /** And gives it back. */
  empty(): void {
    truncateSync(this.#filler, 0);
  }

  [Symbol.dispose](): void {
    execFileSync('umount', ['-l', this.#dir]);
  }
}

/** False: there was no room for all of it. */
function wrote(file: number, bytes: Buffer): boolean {
  try {
    return writeSync(file, bytes) === bytes.length;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOSPC') return false;
    throw error;
  }
}
