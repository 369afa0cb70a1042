import { createHash, createPublicKey } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LanpostError } from '../errors.ts';
import { belongs, newKey, selfSigned } from './certificate.ts';
import { writeDurably } from './durable-file.ts';
import { boxIdOf, fingerprintOf } from './fingerprint.ts';

/** Who this box is: its key. */
export interface Identity {
  /** PEM, PKCS #8. */
  readonly key: string;
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
  const paths = { key: join(dir, 'key.pem'), machine: join(dir, 'machine') };
  const here = createHash('sha256').update(`lanpost ${options.machine}`).digest('hex');
  const [oldKey, there] = await Promise.all([readIf(paths.key), readIf(paths.machine)]);
  const copied = oldKey !== undefined && there !== undefined && there.trim() !== here;

  let key = oldKey;
  if (key === undefined || copied) {
    key = await newKey();
    await writeDurably(paths.key, key);
  }
  const spki = publicKey(key, paths.key);
  // Last, so that a cut in the middle of a change of machine is noticed again.
  if (there?.trim() !== here) await writeDurably(paths.machine, `${here}\n`);
  return { key, spki, fingerprint: fingerprintOf(spki), boxId: boxIdOf(spki), copied };
}

/** The certificate that carries the key into TLS, PEM, self-signed; made when there is none of this key in `dir`. */
export async function loadCertificate(dir: string, key: string): Promise<string> {
  const path = join(dir, 'cert.pem');
  const kept = await readIf(path);
  if (kept !== undefined && belongs(kept, key)) return kept;
  const cert = await selfSigned(key);
  // Peers compare keys, and never see that another start makes another certificate.
  await writeDurably(path, cert).catch(() => undefined);
  return cert;
}
