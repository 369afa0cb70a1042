import { createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto';
import { mkdtemp, readFile, rm, stat, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { boxIdOfFingerprint } from '../../src/trust/fingerprint.ts';
import { loadIdentity } from '../../src/trust/identity.ts';
import { readMachineId } from '../../src/trust/machine.ts';

describe('identity', () => {
  let dir: string;
  beforeEach(async () => { dir = await mkdtemp(join(tmpdir(), 'lanpost-identity-')); });
  afterEach(() => rm(dir, { recursive: true, force: true }));

  test('is an EC P-256 key with a self-signed certificate over it', async () => {
    const identity = await loadIdentity(dir, { machine: 'm' });
    const key = createPrivateKey(identity.key);
    const certificate = new X509Certificate(identity.cert);
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
    await loadIdentity(dir, { machine: 'm' });
    for (const name of ['key.pem', 'cert.pem', 'machine']) expect((await stat(join(dir, name))).mode & 0o777).toBe(0o600);
  });

  test('stays the same from start to start', async () => {
    const first = await loadIdentity(dir, { machine: 'm' });
    expect(await loadIdentity(dir, { machine: 'm' })).toEqual(first);
  });

  test('changes when the directory came from another machine, once, and says so', async () => {
    const first = await loadIdentity(dir, { machine: 'one' });
    const second = await loadIdentity(dir, { machine: 'two' });
    const third = await loadIdentity(dir, { machine: 'two' });
    expect(second).toMatchObject({ copied: true });
    expect(second.fingerprint).not.toBe(first.fingerprint);
    expect(third).toEqual({ ...second, copied: false });
    expect(new X509Certificate(second.cert).checkPrivateKey(createPrivateKey(second.key))).toBe(true);
  });

  test('makes the certificate again when it is missing, damaged or of another key', async () => {
    const first = await loadIdentity(dir, { machine: 'm' });
    await unlink(join(dir, 'cert.pem'));
    const second = await loadIdentity(dir, { machine: 'm' });
    await writeFile(join(dir, 'cert.pem'), 'torn');
    const third = await loadIdentity(dir, { machine: 'm' });
    for (const again of [second, third]) {
      expect(again.fingerprint).toBe(first.fingerprint);
      expect(new X509Certificate(again.cert).checkPrivateKey(createPrivateKey(again.key))).toBe(true);
    }
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
