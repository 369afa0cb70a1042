import { chmod, mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { claimDirectory } from '../src/data-directory.ts';

let dir: string;
beforeEach(async () => { dir = await mkdtemp(join(tmpdir(), 'lanpost-dir-')); });
afterEach(() => rm(dir, { recursive: true, force: true }));
const mode = async (path: string): Promise<number> => (await stat(path)).mode & 0o777;

describe('a data directory', () => {
  it('is made for this user alone, with those above it', async () => {
    await claimDirectory(join(dir, 'a/b'));
    expect(await mode(join(dir, 'a/b'))).toBe(0o700);
  });

  it('is closed to others when it is empty, a fresh volume, or a box\'s already', async () => {
    for (const name of [undefined, 'lost+found', 'key.pem']) {
      const path = join(dir, name ?? 'empty');
      await mkdir(path);
      if (name !== undefined) await mkdir(join(path, name));
      await chmod(path, 0o755);
      await claimDirectory(path);
      expect([name, await mode(path)]).toEqual([name, 0o700]);
    }
  });

  it('that holds what is somebody else\'s is neither closed to them nor used while they can read it', async () => {
    await writeFile(join(dir, 'theirs'), '');
    await chmod(dir, 0o755);
    await expect(claimDirectory(dir)).rejects.toMatchObject({ code: 'invalid-value', message: expect.stringContaining('holds other things') });
    expect(await mode(dir)).toBe(0o755);
    await chmod(dir, 0o700);
    await claimDirectory(dir);
  });
});
