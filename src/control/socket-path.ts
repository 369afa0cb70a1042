// Where a data directory's control socket is. The system silently truncates a socket path of more
// than about 104 bytes, so a longer one goes to a runtime folder and DIR/control.path says where.
import { createHash } from 'node:crypto';
import { chmod, lstat, mkdir, readFile, realpath, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { LanpostError } from '../errors.ts';
import { systemCode } from './system-error.ts';

const PATH_BYTES = 100;
const RECORD = 'control.path';
const OTHERS = 0o077;
const ROOT = 0;

/** Where the socket of the box in `dir` is to be; makes the runtime folder if one is needed. */
export async function prepareSocketPath(dir: string, env: NodeJS.ProcessEnv = process.env): Promise<string> {
  const real = await realpath(dir);
  if (process.platform === 'win32') return pipeName(real);
  const near = join(real, 'control.sock');
  if (Buffer.byteLength(near) <= PATH_BYTES) {
    await rm(join(real, RECORD), { force: true });
    return near;
  }
  const path = join(await runtimeFolder(env), `${hash(real)}.sock`);
  await writeFile(join(real, RECORD), `${path}\n`, { mode: 0o600 });
  return path;
}

/** Where a box running in `dir` would be listening; undefined when there is no such directory. */
export async function findSocketPath(dir: string): Promise<string | undefined> {
  try {
    const real = await realpath(dir);
    if (process.platform === 'win32') return pipeName(real);
    const near = join(real, 'control.sock');
    if (Buffer.byteLength(near) <= PATH_BYTES) return near;
    const path = (await readFile(join(real, RECORD), 'utf8')).trim();
    await checkFolder(dirname(path), real);
    return path;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** The box that wrote the path may be gone, and the folder somebody else's by now, who would be told passwords. */
async function checkFolder(folder: string, dir: string): Promise<void> {
  const [info, { uid }] = await Promise.all([lstat(folder), stat(dir)]);
  if (info.isDirectory() && (info.mode & OTHERS) === 0 && (info.uid === uid || info.uid === ROOT)) return;
  throw new LanpostError('forbidden', `${folder}, where the box in ${dir} was, is another user's by now: start the box again, and if it does not start, remove that folder.`);
}

/** Tells a directory from its copy: a copied `control.path` leads to the original's box. */
export async function directoryId(dir: string): Promise<string> {
  const { dev, ino } = await stat(await realpath(dir), { bigint: true });
  return `${dev}:${ino}`;
}

export function isMissing(error: unknown): boolean {
  const code = systemCode(error);
  return code === 'ENOENT' || code === 'ENOTDIR';
}

async function runtimeFolder(env: NodeJS.ProcessEnv): Promise<string> {
  const { uid } = userInfo();
  const given = env['XDG_RUNTIME_DIR'];
  const candidates = [...given ? [join(resolve(given), 'lanpost')] : [], join(tmpdir(), `lanpost-${uid}`), join('/tmp', `lanpost-${uid}`)];
  const folder = candidates.find((path) => Buffer.byteLength(join(path, `${hash('')}.sock`)) <= PATH_BYTES) ?? candidates.at(-1)!;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  // /tmp is everybody's: a folder somebody else put there, or a link, would hand them the socket.
  const info = await lstat(folder);
  if (!info.isDirectory() || info.uid !== uid) {
    throw new LanpostError('forbidden', `${folder} is not a folder of this user; remove it, or set XDG_RUNTIME_DIR to one that is.`);
  }
  if ((info.mode & OTHERS) !== 0) await chmod(folder, 0o700);
  return folder;
}

const hash = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 24);
const pipeName = (real: string): string => `\\\\.\\pipe\\lanpost-${hash(real.toLowerCase())}`;
