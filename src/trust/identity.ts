import { createHash, createPublicKey } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LanpostError } from '../errors.ts';
import { belongs, newKey, selfSigned } from './certificate.ts';
import { writeDurably } from './durable-file.ts';
import { boxIdOf, fingerprintOf } from './fingerprint.ts';

/** Who this box is: its key, and the certificate that carries it into TLS. */
export interface Identity {
  /** PEM, PKCS #8. */
  readonly key: string;
  /** PEM, self-signed. */
  readonly cert: string;
  /** SubjectPublicKeyInfo, DER: what peers compare. */
  readonly spki: Buffer;
  /** SHA-256 of it, hex. */
  readonly fingerprint: string;
  readonly boxId: string;
  /** The data directory came from another machine, so a new key was made. */
  readonly copied: boolean;
}

const readIf = (path: string): Promise<string | undefined> =>
  readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw new LanpostError('corrupt', `${path} cannot be read: ${error.message}`, { cause: error });
  });

function publicKey(key: string, path: string): Buffer {
  try {
    return createPublicKey(key).export({ type: 'spki', format: 'der' });
  } catch (cause) {
    // Never replaced silently: grants that others gave belong to this key.
    throw new LanpostError('corrupt', `${path} is not a private key; restore it, or delete it for a new identity.`, { cause });
  }
}

/**
 * Reads the identity in `dir`, or makes it, once. The machine is remembered as a hash: when it
 * differs the directory is a copy, and two boxes must not answer to one key.
 */
export async function loadIdentity(dir: string, options: { readonly machine: string }): Promise<Identity> {
  const paths = { key: join(dir, 'key.pem'), cert: join(dir, 'cert.pem'), machine: join(dir, 'machine') };
  const here = createHash('sha256').update(`lanpost ${options.machine}`).digest('hex');
  const [oldKey, oldCert, there] = await Promise.all([readIf(paths.key), readIf(paths.cert), readIf(paths.machine)]);
  const copied = oldKey !== undefined && there !== undefined && there.trim() !== here;

  let key = oldKey;
  if (key === undefined || copied) {
    key = await newKey();
    await writeDurably(paths.key, key);
  }
  const spki = publicKey(key, paths.key);
  let cert = oldCert;
  // Also after a power cut between the two files.
  if (cert === undefined || !belongs(cert, key)) {
    cert = await selfSigned(key);
    await writeDurably(paths.cert, cert);
  }
  // Last, so that a cut in the middle of a change of machine is noticed again.
  if (there?.trim() !== here) await writeDurably(paths.machine, `${here}\n`);
  return { key, cert, spki, fingerprint: fingerprintOf(spki), boxId: boxIdOf(spki), copied };
}
