import { createPublicKey } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeDurably } from '../durable-file.ts';
import { LanpostError } from '../errors.ts';
import { belongs, newKey, selfSigned } from './certificate.ts';
import { boxIdOf, fingerprintOf } from './fingerprint.ts';
import { isAnother, marksOf, remembered } from './machine.ts';

const KEY = 'key.pem';
const MACHINE = 'machine';

/** Who this box is: its key. */
export interface Identity {
  /** PEM, PKCS #8. */
  readonly key: string;
  /** SubjectPublicKeyInfo, DER: what peers compare. */
  readonly spki: Buffer;
  /** SHA-256 of it, hex. */
  readonly fingerprint: string;
  readonly boxId: string;
  /** The data directory came from another machine, so this key was made: the file beside it that keeps the one of before. */
  readonly replaced: string | undefined;
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

const identityOf = (key: string, spki: Buffer, replaced?: string): Identity =>
  ({ key, spki, fingerprint: fingerprintOf(spki), boxId: boxIdOf(spki), replaced });

/** The identity in `dir` as it is, on whatever machine; undefined when there is none. */
export async function readIdentity(dir: string): Promise<Identity | undefined> {
  const path = join(dir, KEY);
  const key = await readIf(path);
  return key === undefined ? undefined : identityOf(key, publicKey(key, path));
}

/**
 * The identity of a box that starts from `dir`, made when there is none. What tells its machine is remembered in
 * hashes: on another one the directory is a copy, and two boxes must not answer to one key.
 */
export async function loadIdentity(dir: string, options: { readonly machine: string | undefined; readonly addresses?: readonly string[] }): Promise<Identity> {
  const here = marksOf({ id: options.machine, addresses: options.addresses ?? [] });
  const path = join(dir, MACHINE);
  const [there, old] = await Promise.all([readIf(path), readIdentity(dir)]);
  const elsewhere = there !== undefined && isAnother(here, there);

  const identity = old && !elsewhere ? old : await makeIdentity(dir, old);
  // Last, so that a cut in the middle of a change of machine is noticed again.
  const marks = remembered(here, elsewhere ? undefined : there);
  if (marks !== undefined && marks !== there) await writeDurably(path, marks);
  return identity;
}

async function makeIdentity(dir: string, old: Identity | undefined): Promise<Identity> {
  const path = join(dir, KEY);
  const key = await newKey();
  const replaced = old && await setAside(dir, old);
  await writeDurably(path, key);
  return identityOf(key, publicKey(key, path), replaced);
}

/** Grants that others gave belong to it, and a card may go back to the machine that it came from: nothing is written over it. */
async function setAside(dir: string, { key, fingerprint }: Identity): Promise<string> {
  const name = `${KEY}.${fingerprint.slice(0, 16)}`;
  const path = join(dir, name);
  const kept = await readIf(path);
  if (kept === undefined) await writeDurably(path, key);
  else if (fingerprintOf(publicKey(kept, path)) !== fingerprint) throw new LanpostError('corrupt', `${path} is not the key that its name says; move it away.`);
  return name;
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
