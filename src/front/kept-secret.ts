import { randomBytes } from 'node:crypto';
import { access, chmod, readFile } from 'node:fs/promises';
import { writeDurably } from '../durable-file.ts';
import { LanpostError } from '../index.ts';
import { hasCode } from './system-error.ts';

/**
 * A random secret, made once and kept in a file that only its owner can read. One that is damaged is made anew, unless
 * there is what it encrypted, in the file `encrypts`: that could then never be read again.
 */
export async function keptSecret(file: string, encrypts?: string): Promise<string> {
  try {
    const text = (await readFile(file, 'utf8')).trim();
    if (text.length >= 32) {
      await chmod(file, 0o600);
      return text;
    }
    if (encrypts !== undefined && await access(encrypts).then(() => true, () => false)) {
      throw new LanpostError('corrupt', `${file} is empty or cut off, and ${encrypts} is encrypted with it: restore it, or delete both, and enter the credentials again.`);
    }
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
  }
  const secret = randomBytes(32).toString('base64url');
  await writeDurably(file, `${secret}\n`);
  return secret;
}
