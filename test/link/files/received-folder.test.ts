import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Draft, ReceivedFolder } from '../../../src/link/files/received-folder.ts';

let dir: string;
let free: number;
const limits = { fileBytes: 100, peerFilesBytes: 150, filesBytes: 250, diskFloor: 1_000 };
const drafts: Draft[] = [];
const opened = (): Pick<ReceivedFolder, 'reserve'> => {
  const folder = new ReceivedFolder({ dir, limits, free: async () => free });
  return {
    reserve: async (...args) => {
      const draft = await folder.reserve(...args);
      drafts.push(draft);
      return draft;
    },
  };
};
const never = new AbortController().signal;
const put = async (folder: Pick<ReceivedFolder, 'reserve'>, peer: string, name: string, text: string): Promise<string> => {
  const draft = await folder.reserve(peer, name, text.length);
  await draft.write(Buffer.from(text));
  return draft.keep(never);
};

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'lanpost-received-'));
  free = 1e9;
});
afterEach(async () => {
  for (const draft of drafts.splice(0)) await draft.discard();
  await rm(dir, { recursive: true, force: true });
});

describe('the folder for received files', () => {
  test('shows a file when it is whole, to its owner alone', async () => {
    const draft = await opened().reserve('alice@h1', 'a.txt', 5);
    await draft.write(Buffer.from('hel'));
    expect(await readdir(join(dir, 'files'))).toEqual(['.incoming']);
    await draft.write(Buffer.from('lo'));
    const path = await draft.keep(never);
    expect(path).toBe(join(dir, 'files', 'alice@h1', 'a.txt'));
    expect([await readFile(path, 'utf8'), (await stat(path)).mode & 0o777, (await stat(path)).nlink]).toEqual(['hello', 0o600, 1]);
    expect(await readdir(join(dir, 'files', '.incoming'))).toEqual([]);
  });

  test('keeps nothing of what was given up', async () => {
    const folder = opened();
    const draft = await folder.reserve('alice@h1', 'a.txt', 5);
    await draft.write(Buffer.from('hel'));
    await Promise.all([draft.discard(), draft.discard()]);
    const late = await folder.reserve('alice@h1', 'b.txt', 0);
    await expect(late.keep(AbortSignal.abort(new Error('declined')))).rejects.toThrow('declined');
    expect([await readdir(join(dir, 'files')), await readdir(join(dir, 'files', '.incoming'))]).toEqual([['.incoming'], []]);
  });

  test.each(['', ', also when it is discarded just then'])('keeps nothing of what was given up while it got its name%s', async (also) => {
    const ended = new AbortController();
    let naming = false;
    const init = {
      // Looked at first of all when it is named.
      get dir() {
        if (naming) ended.abort(new Error('revoked'));
        return dir;
      },
      limits, free: async () => free,
    };
    const draft = await new ReceivedFolder(init).reserve('alice@h1', 'a.txt', 5);
    drafts.push(draft);
    let discarded: Promise<void> | undefined;
    if (also) ended.signal.addEventListener('abort', () => { discarded = draft.discard(); });
    await draft.write(Buffer.from('hello'));
    naming = true;
    await expect(draft.keep(ended.signal)).rejects.toThrow('revoked');
    await discarded;
    expect([await readdir(join(dir, 'files', 'alice@h1')), await readdir(join(dir, 'files', '.incoming'))]).toEqual([[], []]);
  });

  test('overwrites nothing', async () => {
    const folder = opened();
    for (const text of ['one', 'two', 'three']) await put(folder, 'alice@h1', 'a.txt', text);
    const names = ['a.txt', 'a (2).txt', 'a (3).txt'];
    expect(await Promise.all(names.map((name) => readFile(join(dir, 'files', 'alice@h1', name), 'utf8')))).toEqual(['one', 'two', 'three']);
  });

  test('is one for each key, by its mark: whatever the key is called, and whatever stands before the mark', async () => {
    const folder = opened();
    const [key, other] = ['0a1b2c3d'.repeat(8), '1a1b2c3d'.repeat(8)];
    const kept = async (peer: string, fingerprint?: string): Promise<string> => {
      const draft = await folder.reserve(peer, 'a', 60, fingerprint);
      return relative(join(dir, 'files'), await draft.keep(never));
    };
    await writeFile(await mkdir(join(dir, 'files', 'alice@h1'), { recursive: true }).then(() => join(dir, 'files', 'alice@h1', 'a')), 'from before');
    expect([await kept('alice@h1', key), await kept('alice@h1', other), await kept('alice@h1')]).toEqual(['alice@h1=0a1b2c3d0a1b2c3d/a', 'alice@h1=1a1b2c3d1a1b2c3d/a', 'alice@h1/a (2)']);
    expect(await kept('alice-2@h1', key)).toBe('alice@h1=0a1b2c3d0a1b2c3d/a (2)');
    await rename(join(dir, 'files', 'alice@h1=0a1b2c3d0a1b2c3d'), join(dir, 'files', 'Alice=0a1b2c3d0a1b2c3d'));
    expect(await kept('alice@h1', key)).toBe('Alice=0a1b2c3d0a1b2c3d/a (3)');
    expect(await kept('Alice=0a1b2c3d0a1b2c3d')).toMatch(/^Alice=0a1b2c3d0a1b2c3d~/);
    expect(await readFile(join(dir, 'files', 'alice@h1', 'a'), 'utf8')).toBe('from before');
  });

  test('gives a key no more room under another name', async () => {
    const folder = opened();
    const key = '0a1b2c3d'.repeat(8);
    await folder.reserve('alice@h1', 'a', 100, key);
    await expect(folder.reserve('alice-2@h1', 'a', 60, key)).rejects.toMatchObject({ code: 'disk-full' });
    await folder.reserve('alice-2@h1', 'a', 100, '1a1b2c3d'.repeat(8));
  });

  test('promises the same room to one only', async () => {
    const folder = opened();
    const asked = await Promise.allSettled([1, 2, 3].map(() => folder.reserve('alice@h1', 'a', 60)));
    expect(asked.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected']);
    await expect(folder.reserve('bob@h2', 'a', 101)).rejects.toMatchObject({ code: 'too-large' });
    await folder.reserve('bob@h2', 'a', 100);
    await expect(folder.reserve('carol@h3', 'a', 31)).rejects.toMatchObject({ code: 'disk-full' });
    const [first] = asked;
    if (first?.status === 'fulfilled') await first.value.discard();
    await folder.reserve('carol@h3', 'a', 31);
  });

  test('leaves the floor of the disk alone, counting what is promised to others', async () => {
    const folder = opened();
    free = 1_100;
    const draft = await folder.reserve('alice@h1', 'a', 60);
    await expect(folder.reserve('bob@h2', 'a', 41)).rejects.toMatchObject({ code: 'disk-full' });
    await folder.reserve('bob@h2', 'a', 40);
    await draft.discard();
    await folder.reserve('bob@h2', 'b', 60);
  });

  test('holds only so many files of one peer, however small', async () => {
    const folder = opened();
    await put(folder, 'alice@h1', 'a', '');
    for (let n = 1; n < 4_096; n += 1) await writeFile(join(dir, 'files', 'alice@h1', String(n)), '');
    await expect(folder.reserve('alice@h1', 'a', 0)).rejects.toMatchObject({ code: 'disk-full' });
    await folder.reserve('bob@h2', 'a', 0);
  });

  test('forgets what was on its way when the box was ended', async () => {
    await mkdir(join(dir, 'files', '.incoming'), { recursive: true });
    await writeFile(join(dir, 'files', '.incoming', 'half'), 'half');
    await put(opened(), 'alice@h1', 'a', 'whole');
    expect(await readdir(join(dir, 'files', '.incoming'))).toEqual([]);
  });

  test.each(['files', 'files/alice@h1', 'files/.incoming'])('is not left by way of a link at %s', async (place) => {
    const elsewhere = await mkdtemp(join(tmpdir(), 'lanpost-elsewhere-'));
    await writeFile(join(elsewhere, 'mine'), 'mine');
    if (place !== 'files') await mkdir(join(dir, 'files'));
    await symlink(elsewhere, join(dir, place));
    await expect(put(opened(), 'alice@h1', 'a', 'x')).rejects.toMatchObject({ code: 'forbidden' });
    expect(await readdir(elsewhere)).toEqual(['mine']);
    await rm(elsewhere, { recursive: true });
  });
});
