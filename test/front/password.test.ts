import { chown, lchown, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getegid, geteuid, getgroups, getuid } from 'node:process';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MOST_PASSWORD, Password } from '../../src/front/password.ts';

let dir: string;
beforeEach(async () => { dir = await mkdtemp(join(tmpdir(), 'lanpost-password-')); });
afterEach(async () => { await rm(dir, { recursive: true, force: true }); });

describe('the password', () => {
  it('is kept as a hash that only its owner can read, and told from every other', async () => {
    const password = new Password(dir);
    expect(password.version).toBeUndefined();
    expect(await password.check('correct horse')).toBeUndefined();
    await password.set('correct horse');
    const file = join(dir, 'web', 'password');
    expect(await readFile(file, 'utf8')).not.toContain('correct');
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect((await stat(join(dir, 'web'))).mode & 0o777).toBe(0o700);
    expect(await password.check('correct horse')).toBe(password.version);
    for (const wrong of ['', 'correct hors', 'Correct horse', 'correct horse ', 'x'.repeat(MOST_PASSWORD + 1)]) expect(await password.check(wrong)).toBeUndefined();
  });

  it('is the same however its letters are composed', async () => {
    const password = new Password(dir);
    await password.set('gr\u00fc\u00dfe aus Rom');
    expect(await password.check('gru\u0308\u00dfe aus Rom')).toBeDefined();
  });

  it('counts as soon as it is changed, in another process, too; and so does taking it back', async () => {
    const [here, there] = [new Password(dir), new Password(dir)];
    await there.set('first one');
    const first = here.version;
    expect(first).toBeDefined();
    await there.set('second one');
    expect(here.version).not.toBe(first);
    expect(await here.check('first one')).toBeUndefined();
    expect(await here.check('second one')).toBeDefined();
    expect([await there.clear(), await there.clear()]).toEqual([true, false]);
    expect(here.version).toBeUndefined();
  });

  it.runIf(getuid?.() === 0)('that root sets is the box\'s to read', async () => {
    await chown(dir, 12_345, 12_346);
    await new Password(dir).set('correct horse');
    for (const path of ['web', 'web/password']) expect(await stat(join(dir, path))).toMatchObject({ uid: 12_345, gid: 12_346 });
  });

  it.runIf(getuid?.() === 0)('that root sets gives the box\'s user nothing that a link in its place leads to', async () => {
    const elsewhere = await mkdtemp(join(tmpdir(), 'lanpost-elsewhere-'));
    try {
      await chown(dir, 12_345, 12_346);
      await symlink(elsewhere, join(dir, 'web'));
      await lchown(join(dir, 'web'), 12_345, 12_346);
      await writeFile(join(elsewhere, 'password'), 'of somebody else');
      const before = [await stat(elsewhere), geteuid?.(), getegid?.(), getgroups?.()];
      await expect(new Password(dir).set('correct horse')).rejects.toThrow('leads elsewhere');
      await expect(new Password(dir).clear()).rejects.toThrow('EACCES');
      expect([await stat(elsewhere), geteuid?.(), getegid?.(), getgroups?.()]).toEqual(before);
      expect(await readdir(elsewhere)).toEqual(['password']);
    } finally {
      await rm(elsewhere, { recursive: true, force: true });
    }
  });

  it('is set in a folder of its own, not where a link leads', async () => {
    const elsewhere = await mkdtemp(join(dir, 'elsewhere-'));
    await symlink(elsewhere, join(dir, 'web'));
    await expect(new Password(dir).set('correct horse')).rejects.toMatchObject({ code: 'forbidden', message: expect.stringContaining('web') });
    expect(await readdir(elsewhere)).toEqual([]);
  });

  it.each(['', 'secret', 'scrypt$99999999$8$3$x$y', 'scrypt$32768$8$3$AAAAAAAAAAAAAAAAAAAAAA$', '$2b$08$abcdefghijklmnopqrstuv'])('a file that holds "%s" is no password: it lets nobody in', async (text) => {
    const password = new Password(dir);
    await mkdir(join(dir, 'web'));
    await writeFile(join(dir, 'web', 'password'), text);
    expect(password.version).toBeUndefined();
    expect(await password.check(text)).toBeUndefined();
  });
});
