import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Identity, loadIdentity } from '../../src/trust/identity.ts';
import { Sealer } from '../../src/trust/seal.ts';
import { FRAME_BYTES, readHeader, readSealed, SealedWriter, verifySealed } from '../../src/trust/sealed-file.ts';

const dir = mkdtempSync(join(tmpdir(), 'lanpost-sealed-'));
let author: Identity, recipient: Identity, stranger: Identity;
beforeAll(async () => {
  [author, recipient, stranger] = await Promise.all(['a', 'b', 'c'].map(async (name) => loadIdentity(mkdtempSync(join(dir, name)), { machine: 'test' }))) as [Identity, Identity, Identity];
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const FIRST = randomBytes(10);
const FRAMES = [FIRST, randomBytes(FRAME_BYTES), Buffer.alloc(0), randomBytes(1)];
function sealed({ frames = FRAMES, sealer = new Sealer(author), to = recipient }: { frames?: readonly Uint8Array[]; sealer?: Sealer; to?: Identity } = {}): Buffer[] {
  const writer = new SealedWriter({ sealer, author: author.spki, recipient: to.spki, about: { kind: 'test' } });
  return [writer.begin(), ...frames.map((bytes, n) => writer.frame(bytes, n === frames.length - 1)), writer.end().signature];
}
async function on<T>(bytes: Uint8Array | readonly Uint8Array[], use: (file: FileHandle) => Promise<T>): Promise<T> {
  const path = join(dir, randomBytes(8).toString('hex'));
  writeFileSync(path, Array.isArray(bytes) ? Buffer.concat(bytes) : bytes as Uint8Array);
  const file = await open(path);
  try {
    return await use(file);
  } finally {
    await file.close();
  }
}
const verified = (bytes: Uint8Array | readonly Uint8Array[], as = recipient): Promise<unknown> => on(bytes, (file) => verifySealed(file, as));

describe('a sealed file', () => {
  test('is read by whom it is for, frame by frame, and says who wrote it', async () => {
    const pieces = sealed();
    const got: Uint8Array[] = [];
    const opened = await on(pieces, async (file) => {
      const found = await verifySealed(file, recipient);
      for await (const frame of readSealed(file, recipient, found)) got.push(frame);
      return found;
    });
    expect(got.map((bytes) => Buffer.from(bytes))).toEqual(FRAMES.map((bytes) => Buffer.from(bytes)));
    expect(opened).toMatchObject({ author: author.fingerprint, header: { recipient: recipient.fingerprint, about: { kind: 'test' } } });
    expect(Buffer.concat(pieces).includes(FIRST)).toBe(false);
  });

  test('that becomes another one after it was looked through is not read, not even its first frame', async () => {
    const path = join(dir, randomBytes(8).toString('hex'));
    writeFileSync(path, Buffer.concat(sealed()));
    const writer = new SealedWriter({ sealer: new Sealer(stranger), author: stranger.spki, recipient: recipient.spki, about: { kind: 'test' } });
    const other = Buffer.concat([writer.begin(), writer.frame(randomBytes(10), true), writer.end().signature]);
    const file = await open(path, 'r+');
    try {
      const found = await verifySealed(file, recipient);
      await file.truncate(0);
      await file.write(other, 0, other.length, 0);
      const got: Uint8Array[] = [];
      await expect((async () => { for await (const frame of readSealed(file, recipient, found)) got.push(frame); })()).rejects.toMatchObject({ code: 'corrupt' });
      expect(got).toEqual([]);
    } finally {
      await file.close();
    }
  });

  test('is read by nobody else', async () => {
    await expect(verified(sealed(), stranger)).rejects.toMatchObject({ code: 'forbidden' });
    // Whoever claims in the header to be the recipient has not the key.
    const [start, ...rest] = sealed();
    const forged = Buffer.from(String(start).replace(recipient.fingerprint, stranger.fingerprint));
    await expect(verified([forged, ...rest], stranger)).rejects.toMatchObject({ code: 'corrupt' });
  });

  test('is the same twice to nobody: each has a key of its own', () => {
    expect(sealed()[1]).not.toEqual(sealed()[1]);
  });

  test('that was cut off anywhere is refused', async () => {
    const whole = Buffer.concat(sealed({ frames: [randomBytes(40), randomBytes(3)] }));
    for (let length = 0; length < whole.length; length += length < 600 ? 7 : 1) await expect(verified(whole.subarray(0, length))).rejects.toMatchObject({ code: 'corrupt' });
    await expect(verified(Buffer.concat([whole, Buffer.of(0)]))).rejects.toMatchObject({ code: 'corrupt' });
  });

  test('of which any byte was changed is refused', async () => {
    const whole = Buffer.concat(sealed({ frames: [randomBytes(40), randomBytes(3)] }));
    for (let at = 0; at < whole.length; at += 1) {
      const changed = Buffer.from(whole);
      changed[at] = (changed[at] ?? 0) ^ 1;
      await expect(verified(changed), `byte ${at}`).rejects.toMatchObject({ name: 'LanpostError' });
    }
  });

  test('with frames left out, twice, in another order, or of another file is refused', async () => {
    const [start, one, two, three, last, end] = sealed() as [Buffer, Buffer, Buffer, Buffer, Buffer, Buffer];
    const [otherStart, otherOne, , , , otherEnd] = sealed() as [Buffer, Buffer, Buffer, Buffer, Buffer, Buffer];
    for (const wrong of [[start, one, three, last, end], [start, one, one, two, three, last, end], [start, two, one, three, last, end], [start, one, two, three, end], [start, otherOne, two, three, last, end], [start, one, two, three, last, otherEnd], [otherStart, one, two, three, last, end]]) {
      await expect(verified(wrong)).rejects.toMatchObject({ code: 'corrupt' });
    }
  });

  test('signed by another than it says is refused', async () => {
    await expect(verified(sealed({ sealer: new Sealer(stranger) }))).rejects.toMatchObject({ code: 'corrupt' });
  });

  test.each([['nothing', ''], ['a text', 'hello, this is no such file at all'], ['a newer form', 'lanpost-sealed-2\n0000{}']])('is not %s', async (_, text) => {
    await expect(on(Buffer.from(text), readHeader)).rejects.toMatchObject({ name: 'LanpostError' });
  });

  test('is not written for what is no key', () => {
    expect(() => new SealedWriter({ sealer: new Sealer(author), author: author.spki, recipient: randomBytes(91), about: {} })).toThrow(expect.objectContaining({ code: 'corrupt' }));
  });
});
