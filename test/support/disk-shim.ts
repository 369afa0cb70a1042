import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ROOT } from './root.ts';

const SOURCE = join(ROOT, 'test/support/disk-shim/disk-shim.c');
const run = promisify(execFile);

/** What stands between a process and the files below one directory (see disk-shim.c). */
export interface ShimOptions {
  readonly dir: string;
  readonly trace?: string;
  readonly fail?: Fault;
  /** A file that gets each write and sync. */
  readonly calls?: string;
}

/** The nth write or sync; of all, unless it is said of which. */
export interface Which extends Partial<DiskCall> {
  readonly nth: number;
}

/** A write or sync that fails. */
export interface Fault extends Which {
  readonly errno: number;
  /** After half of the bytes. */
  readonly half?: boolean;
  /** Only after the process has said this. */
  readonly after?: string;
  /** And after it another one. */
  readonly again?: Which;
  /** Gets what was made to fail. */
  readonly report: string;
}

/** A write or a sync, and what kind of file it was of. */
export interface DiskCall {
  readonly call: 'write' | 'fsync' | 'fdatasync';
  readonly file: 'log' | 'table' | 'manifest' | 'current' | 'witness' | 'folder' | 'other';
}

/** The environment for it; builds the shim outside the tree, once per version of its source. */
export async function shimmed({ dir, trace, fail, calls }: ShimOptions): Promise<Record<string, string>> {
  return {
    LD_PRELOAD: await build(), DISK_SHIM_DIR: dir, UV_USE_IO_URING: '0',
    ...(trace !== undefined && { DISK_SHIM_TRACE: trace }),
    ...(fail && { DISK_SHIM_FAIL: `${fail.nth} ${fail.errno}${fail.half === true ? ' half' : ''}`, DISK_SHIM_AMONG: words(fail), DISK_SHIM_FAILED: fail.report }),
    ...(fail?.after !== undefined && { DISK_SHIM_AFTER: fail.after }),
    ...(fail?.again !== undefined && { DISK_SHIM_AGAIN: `${fail.again.nth} ${words(fail.again)}` }),
    ...(calls !== undefined && { DISK_SHIM_CALLS: calls }),
  };
}

const words = ({ call, file }: Partial<DiskCall>): string => `${call ?? 'any'} ${file ?? 'any'}`;

/** One line of what the shim wrote down: a call, or the first word of what the process said in between. */
export interface Called {
  readonly call: DiskCall['call'] | 'said';
  readonly file: string;
}

export function readCalls(path: string): Called[] {
  return readFileSync(path, 'utf8').split('\n').filter((line) => line !== '').map((line) => {
    const [call, file] = line.split(' ');
    return { call, file } as Called;
  });
}

async function build(): Promise<string> {
  const version = createHash('sha256').update(readFileSync(SOURCE)).digest('hex').slice(0, 12);
  const dir = join(tmpdir(), `lanpost-disk-shim-${userInfo().uid}-${version}`);
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const library = join(dir, 'disk-shim.so');
  await run('flock', [join(dir, 'lock'), 'sh', '-c', '[ -f "$1" ] || { gcc -std=gnu11 -O1 -Wall -shared -fPIC -o "$1.new" "$0" -ldl -lpthread && mv -f "$1.new" "$1"; }', SOURCE, library]);
  return library;
}
