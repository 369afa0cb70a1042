import { chmod, mkdir, readdir, stat } from 'node:fs/promises';
import process from 'node:process';
import { LanpostError } from './errors.ts';

/** What a file system puts into an empty volume. */
const EMPTY: readonly string[] = ['lost+found'];
/** What tells a box's directory: nothing else of it is older. */
const OURS = 'key.pem';
const OTHERS = 0o077;

/**
 * Makes the directory, for this user alone. One that holds what is somebody else's is not closed to others over their
 * heads, as `/tmp` or a home would be; nor is what a box holds laid open in it.
 */
export async function claimDirectory(dir: string): Promise<void> {
  const made = await mkdir(dir, { recursive: true, mode: 0o700 });
  if (made === undefined) {
    const { mode } = await stat(dir);
    // Windows has no such bits: a folder there is whose the folder around it is.
    if ((mode & OTHERS) === 0 || process.platform === 'win32') return;
    const names = await readdir(dir);
    if (!names.includes(OURS) && names.some((name) => !EMPTY.includes(name))) {
      throw new LanpostError('invalid-value', `${dir} holds other things, and other users can read it: name a directory for the box alone, or close this one yourself with chmod 700.`);
    }
  }
  await chmod(dir, 0o700);
}
