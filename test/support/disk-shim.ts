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
  /** The nth write or sync fails, with half of its bytes written when `half`. */
  readonly fail?: { readonly nth: number; readonly errno: number; readonly half?: boolean };
  readonly count?: string;
}

/** The environment for it; builds the shim outside the tree, once per version of its source. */
export async function shimmed({ dir, trace, fail, count }: ShimOptions): Promise<Record<string, string>> {
  return {
    LD_PRELOAD: await build(), DISK_SHIM_DIR: dir, UV_USE_IO_URING: '0',
    ...(trace !== undefined && { DISK_SHIM_TRACE: trace }),
    ...(fail && { DISK_SHIM_FAIL: `${fail.nth} ${fail.errno}${fail.half === true ? ' half' : ''}` }),
    ...(count !== undefined && { DISK_SHIM_COUNT: count }),
  };
}

async function build(): Promise<string> {
  const version = createHash('sha256').update(readFileSync(SOURCE)).digest('hex').slice(0, 12);
  const dir = join(tmpdir(), `lanpost-disk-shim-${userInfo().uid}-${version}`);
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const library = join(dir, 'disk-shim.so');
  await run('flock', [join(dir, 'lock'), 'sh', '-c', '[ -f "$1" ] || { gcc -std=gnu11 -O1 -Wall -shared -fPIC -o "$1.new" "$0" -ldl -lpthread && mv -f "$1.new" "$1"; }', SOURCE, library]);
  return library;
}
