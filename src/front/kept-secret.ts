import { randomBytes } from 'node:crypto';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { hasCode } from './system-error.ts';

/** A random secret, made once and kept in a file that only its owner can read. */
export async function keptSecret(file: string): Promise<string> {
  try {
    const text = (await readFile(file, 'utf8')).trim();
    if (text.length >= 32) {
      await chmod(file, 0o600);
      return text;
    }
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
  }
  const secret = randomBytes(32).toString('base64url');
  await writeFile(file, `${secret}\n`, { mode: 0o600 });
  await chmod(file, 0o600);
  return secret;
}
