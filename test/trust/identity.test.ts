import { createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto';
import { mkdtemp, readFile, rm, stat, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { boxIdOfFingerprint } from '../../src/trust/fingerprint.ts';
import { loadCertificate, loadIdentity } from '../../src/trust/identity.ts';
import { readMachineId } from '../../src/trust/machine.ts';

describe('identity', () => {
  let dir: string;
  beforeEach(async () => { dir = await mkdtemp(join(tmpdir(), 'lanpost-identity-')); });
  afterEach(() => rm(dir, { recursive: true, force: true }));

  test('is an EC P-256 key with a self-signed certificate over it', async () => {
    const identity = await loadIdentity(dir, { machine: 'm' });
    const key = createPrivateKey(identity.key);
    const certificate = new X509Certificate(await loadCertificate(dir, identity.key));
    expect(key.asymmetricKeyType).toBe('ec');
    expect(key.asymmetricKeyDetails?.namedCurve).toBe('prime256v1');
    expect(certificate.verify(createPublicKey(identity.key))).toBe(true);
    expect(certificate.subject).toBe('CN=lanpost');
    expect(certificate.publicKey.export({ type: 'spki', format: 'der' })).toEqual(identity.spki);
    expect(identity.fingerprint).toMatch(/^[0-9a-f]{64}$/);
    expect(identity.boxId).toMatch(/^[a-z2-7]{16}$/);
    expect(boxIdOfFingerprint(identity.fingerprint)).toBe(identity.boxId);
    expect(identity.copied).toBe(false);
  });

  test('is readable by the owner only', async () => {
    const { key } = await loadIdentity(dir, { machine: 'm' });
    await loadCertificate(dir, key);
    for (const name of ['key.pem', 'cert.pem', 'machine']) expect((await stat(join(dir, name))).mode & 0o777).toBe(0o600);
  });

  test('stays the same from start to start', async () => {
    const first = await loadIdentity(dir, { machine: 'm' });
    const certificate = await loadCertificate(dir, first.key);
    expect(await loadIdentity(dir, { machine: 'm' })).toEqual(first);
    expect(await loadCertificate(dir, first.key)).toBe(certificate);
  });

  test('changes when the directory came from another machine, once, and says so', async () => {
    const first = await loadIdentity(dir, { machine: 'one' });
    await loadCertificate(dir, first.key);
    const second = await loadIdentity(dir, { machine: 'two' });
    const third = await loadIdentity(dir, { machine: 'two' });
    expect(second).toMatchObject({ copied: true });
    expect(second.fingerprint).not.toBe(first.fingerprint);
    expect(third).toEqual({ ...second, copied: false });
    expect(new X509Certificate(await loadCertificate(dir, second.key)).checkPrivateKey(createPrivateKey(second.key))).toBe(true);
  });

  test('makes the certificate again when it is missing, damaged or of another key', async () => {
    const { key } = await loadIdentity(dir, { machine: 'm' });
    const first = await loadCertificate(dir, key);
    await unlink(join(dir, 'cert.pem'));
    const second = await loadCertificate(dir, key);
    await writeFile(join(dir, 'cert.pem'), 'torn');
    const third = await loadCertificate(dir, key);
    await writeFile(join(dir, 'cert.pem'), first);
    const other = await mkdtemp(join(tmpdir(), 'lanpost-identity-'));
    const { key: otherKey } = await loadIdentity(other, { machine: 'm' });
    await rm(other, { recursive: true, force: true });
    for (const [cert, itsKey] of [[second, key], [third, key], [await loadCertificate(dir, otherKey), otherKey]] as const) {
      expect(new X509Certificate(cert).checkPrivateKey(createPrivateKey(itsKey))).toBe(true);
      expect(cert).not.toBe(first);
    }
  });

  test('a certificate that cannot be kept serves all the same', async () => {
    const { key } = await loadIdentity(dir, { machine: 'm' });
    const gone = join(dir, 'gone');
    expect(new X509Certificate(await loadCertificate(gone, key)).checkPrivateKey(createPrivateKey(key))).toBe(true);
  });

  test('a damaged key is an error, never replaced', async () => {
    await loadIdentity(dir, { machine: 'm' });
    await writeFile(join(dir, 'key.pem'), 'torn');
    await expect(loadIdentity(dir, { machine: 'm' })).rejects.toMatchObject({ code: 'corrupt' });
    expect(await readFile(join(dir, 'key.pem'), 'utf8')).toBe('torn');
  });
});

describe('machine id', () => {
  let dir: string;
  beforeEach(async () => { dir = await mkdtemp(join(tmpdir(), 'lanpost-machine-')); });
  afterEach(() => rm(dir, { recursive: true, force: true }));

  test('is the first source that holds one', async () => {
    const id = '0123456789abcdef0123456789abcdef';
    await writeFile(join(dir, 'empty'), '\n');
    await writeFile(join(dir, 'id'), `${id}\n`);
    expect(await readMachineId([join(dir, 'missing'), join(dir, 'empty'), join(dir, 'id')])).toBe(id);
  });

  test('falls back on the hardware addresses, which do not change between two calls', async () => {
    const missing = [join(dir, 'missing')];
    expect(await readMachineId(missing)).toBe(await readMachineId(missing));
  });
});
