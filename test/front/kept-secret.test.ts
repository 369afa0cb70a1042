import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { keptSecret } from '../../src/front/kept-secret.ts';

let dir: string;
beforeAll(async () => { dir = await mkdtemp(join(tmpdir(), 'lanpost-')); });
afterAll(() => rm(dir, { recursive: true, force: true }));

it('a secret is made once, kept, and readable by its owner alone', async () => {
  const file = join(dir, 'secret');
  const secret = await keptSecret(file);
  expect(secret).toMatch(/^[\w-]{43}$/);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  await chmod(file, 0o644);
  expect(await keptSecret(file)).toBe(secret);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect(await readFile(file, 'utf8')).toBe(`${secret}\n`);
  expect(await keptSecret(join(dir, 'other'))).not.toBe(secret);
});

it.each(['', 'half'])('a secret that was cut down to "%s" is made anew, unless something is encrypted with it', async (text) => {
  const [file, encrypted] = [join(dir, 'cut'), join(dir, 'encrypted')];
  await writeFile(file, text);
  await writeFile(encrypted, '{}');
  await expect(keptSecret(file, encrypted)).rejects.toMatchObject({ code: 'corrupt', message: expect.stringContaining(encrypted) });
  expect(await readFile(file, 'utf8')).toBe(text);
  await rm(encrypted);
  expect(await keptSecret(file, encrypted)).toMatch(/^[\w-]{43}$/);
});
