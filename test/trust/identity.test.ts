import { createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto';
import { mkdtemp, readdir, readFile, rename, rm, stat, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { boxIdOfFingerprint } from '../../src/trust/fingerprint.ts';
import { loadCertificate, loadIdentity, readIdentity } from '../../src/trust/identity.ts';
import { readMachine } from '../../src/trust/machine.ts';

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
    expect(identity.replaced).toBeUndefined();
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
    expect(second.replaced).toBe(`key.pem.${first.fingerprint.slice(0, 16)}`);
    expect(second.fingerprint).not.toBe(first.fingerprint);
    expect(third).toEqual({ ...second, replaced: undefined });
    expect(new X509Certificate(await loadCertificate(dir, second.key)).checkPrivateKey(createPrivateKey(second.key))).toBe(true);
  });

  test('of the machine before is kept beside it, and can be put back', async () => {
    const first = await loadIdentity(dir, { machine: 'one' });
    const second = await loadIdentity(dir, { machine: 'two' });
    const third = await loadIdentity(dir, { machine: 'one' });
    for (const { key, fingerprint } of [first, second]) {
      const path = join(dir, `key.pem.${fingerprint.slice(0, 16)}`);
      expect(await readFile(path, 'utf8')).toBe(key);
      expect((await stat(path)).mode & 0o777).toBe(0o600);
    }
    expect(await readdir(dir)).toHaveLength(4);
    await rename(join(dir, `key.pem.${first.fingerprint.slice(0, 16)}`), join(dir, 'key.pem'));
    await unlink(join(dir, 'machine'));
    for (const machine of ['two', 'two']) expect(await loadIdentity(dir, { machine })).toEqual(first);
    expect(third.fingerprint).not.toBe(second.fingerprint);
  });

  test('is not put where another key is kept', async () => {
    const first = await loadIdentity(dir, { machine: 'one' });
    const path = join(dir, `key.pem.${first.fingerprint.slice(0, 16)}`);
    const other = await mkdtemp(join(tmpdir(), 'lanpost-identity-'));
    const { key } = await loadIdentity(other, { machine: 'm' });
    await rm(other, { recursive: true, force: true });
    await writeFile(path, key);
    await expect(loadIdentity(dir, { machine: 'two' })).rejects.toMatchObject({ code: 'corrupt' });
    expect([await readFile(path, 'utf8'), await readFile(join(dir, 'key.pem'), 'utf8')]).toEqual([key, first.key]);
  });

  test('is read as it is, whatever the machine', async () => {
    expect(await readIdentity(dir)).toBeUndefined();
    expect(await readdir(dir)).toEqual([]);
    const first = await loadIdentity(dir, { machine: 'one' });
    expect(await readIdentity(dir)).toEqual(first);
  });

  test.each([
    ['one address of before is there', ['a', 'b'], ['b', 'c'], true],
    ['none of before is there', ['a', 'b'], ['c'], false],
    ['there is none', ['a'], [], true],
    ['there was none', [], ['a'], true],
  ])('without a machine id, when %s', async (_, before, now, same) => {
    const first = await loadIdentity(dir, { machine: undefined, addresses: before });
    expect((await loadIdentity(dir, { machine: undefined, addresses: now })).key === first.key).toBe(same);
  });

  test('without a machine id, stays through any number of changes that leave one address, and is changed once by another machine', async () => {
    const first = await loadIdentity(dir, { machine: undefined, addresses: ['wired', 'wifi'] });
    for (const addresses of [['wired'], ['wifi'], [], ['wired'], ['wifi', 'dongle'], ['dongle']]) {
      expect(await loadIdentity(dir, { machine: undefined, addresses })).toEqual(first);
    }
    const second = await loadIdentity(dir, { machine: undefined, addresses: ['elsewhere'] });
    expect(second.key).not.toBe(first.key);
    expect(await loadIdentity(dir, { machine: undefined, addresses: ['elsewhere'] })).toMatchObject({ key: second.key });
    expect(await loadIdentity(dir, { machine: undefined, addresses: ['wired'] })).toMatchObject({ replaced: expect.stringContaining('key.pem.') });
  });

  test('stays when a machine gets an id, and when it loses it', async () => {
    const first = await loadIdentity(dir, { machine: undefined, addresses: ['a'] });
    for (const machine of ['m', undefined, 'n']) expect(await loadIdentity(dir, { machine, addresses: ['a'] })).toEqual(first);
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
    const none = join(dir, 'missing');
    expect((await readMachine([none, join(dir, 'empty'), join(dir, 'id')], none)).id).toBe(id);
  });

  test('is none when systemd made it up for this start', async () => {
    const id = '0123456789abcdef0123456789abcdef';
    for (const name of ['id', 'run']) await writeFile(join(dir, name), `${id}\n`);
    expect((await readMachine([join(dir, 'id')], join(dir, 'run'))).id).toBeUndefined();
  });

  test('is none where no source holds one; the hardware addresses do not change between two calls, and none is made up', async () => {
    const none = join(dir, 'missing');
    const { id, addresses } = await readMachine([none], none);
    expect(id).toBeUndefined();
    expect((await readMachine([none], none)).addresses).toEqual(addresses);
    expect(addresses.filter((mac) => !/^[0-9a-f][048c](:[0-9a-f]{2}){5}$/.test(mac))).toEqual([]);
  });
});
