import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createBox } from '../src/box.ts';
import type { Trouble } from '../src/index.ts';
import { encodeRow } from '../src/log/cbor.ts';
import { writeSynced } from '../src/log/database.ts';
import { META_KEY } from '../src/log/keys.ts';
import { LevelDatabase } from '../src/log/level-database.ts';
import { exportBox, importBox, repairBox } from '../src/offline.ts';

let parent = '';
beforeEach(async () => { parent = await mkdtemp(join(tmpdir(), 'lanpost-offline-')); });
afterEach(() => rm(parent, { recursive: true, force: true }));

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const one of items) list.push(one);
  return list;
}

async function* numbered(lines: readonly string[]): AsyncIterableIterator<{ number: number; text: string }> {
  for (const [i, text] of lines.entries()) yield { number: i + 1, text };
}

const boxIn = (dir: string) => createBox({ dir, link: false, control: false, limits: { diskFloor: 0 } });

/** Its list of files is no such list any more. */
async function spoil(dir: string): Promise<void> {
  const manifest = (await readdir(join(dir, 'log'))).find((name) => name.startsWith('MANIFEST')) ?? '';
  await writeFile(join(dir, 'log', manifest), 'x');
}

describe('a box that does not run', () => {
  it('is exported and imported into another', async () => {
    const [here, there] = [join(parent, 'here'), join(parent, 'there')];
    const box = await boxIn(here);
    for (let n = 0; n < 700; n++) await box.publish('t', { n });
    await expect(all(exportBox({ dir: here }))).rejects.toMatchObject({ code: 'locked' });
    await box.close();
    const lines = await all(exportBox({ dir: here }));
    expect(await importBox({ dir: there }, numbered(lines))).toMatchObject({ records: 700 });
    const other = await boxIn(there);
    expect((await other.items('t', { last: 1000 })).length).toBe(700);
    await other.close();
    // Who leaves off in the middle leaves the lock.
    for await (const line of exportBox({ dir: here })) if (line.includes('publish')) break;
    expect(await all(repairBox({ dir: here }))).toEqual([]);
  });

  it('is repaired, here and by itself when it starts', async () => {
    const dir = join(parent, 'box');
    const box = await boxIn(dir);
    for (let n = 0; n < 100; n++) await box.publish('t', n);
    await box.close();
    await spoil(dir);
    expect((await all(repairBox({ dir }))).map(({ kind }: Trouble) => kind)).toEqual(['log.repair']);
    await spoil(dir);
    const again = await boxIn(dir);
    // Also to whoever comes later.
    for (const follower of [again.troubles(), again.troubles()]) expect(await follower.next()).toMatchObject({ value: { kind: 'log.repair' } });
    expect((await again.items('t', { last: 1000 })).length).toBe(100);
    expect((await again.status()).troubles).toMatchObject({ 'log.repair': 1 });
    await again.close();
  });

  it('whose damage is met by an export or an import says so', async () => {
    const dir = join(parent, 'box');
    const box = await boxIn(dir);
    for (let n = 0; n < 10; n++) await box.publish('t', n);
    await box.close();
    const found: string[] = [];
    const trouble = ({ kind }: Trouble): void => void found.push(kind);
    await spoil(dir);
    const lines = await all(exportBox({ dir, trouble }));
    await spoil(dir);
    await importBox({ dir, trouble }, numbered(lines));
    expect(found).toEqual(['log.repair', 'log.repair']);
  });

  it('is told of as it is repaired, also when the repair fails later', async () => {
    const dir = join(parent, 'box');
    await (await boxIn(dir)).close();
    const database = new LevelDatabase(join(dir, 'log'));
    await database.open();
    await writeSynced(database, [{ key: META_KEY, value: encodeRow({ format: 99, box: 'x', head: 0 }) }]);
    await database.close();
    await spoil(dir);
    const findings = repairBox({ dir });
    expect(await findings.next()).toMatchObject({ value: { kind: 'log.repair' } });
    await expect(findings.next()).rejects.toMatchObject({ code: 'format-too-new' });
  });

  it('that is not there is said, and no directory made', async () => {
    await expect(all(repairBox({ dir: join(parent, 'none') }))).rejects.toMatchObject({ code: 'not-found' });
    await expect(all(exportBox({ dir: join(parent, 'none') }))).rejects.toMatchObject({ code: 'not-found' });
    expect(await readdir(parent)).toEqual([]);
  });

  it.each([[[], 'empty'], [['garbage'], 'line 1 is not JSON'], [['{"topic":"t","settings":{}}'], 'line 1 is not the beginning']])('is not made of what is no export: %j', async (found, message) => {
    await expect(importBox({ dir: join(parent, 'new') }, numbered(found))).rejects.toMatchObject({ code: 'invalid-value', message: expect.stringContaining(message) });
    expect(await readdir(parent)).toEqual([]);
  });

  it('keeps its key when it is looked at on another machine', async () => {
    const dir = join(parent, 'card');
    await (await boxIn(dir)).close();
    await writeFile(join(dir, 'machine'), `${'0'.repeat(64)}\n`);
    const kept = async (): Promise<string[]> => Promise.all(['key.pem', 'machine'].map((name) => readFile(join(dir, name), 'utf8')));
    const before = await kept();
    const lines = await all(exportBox({ dir }));
    expect(await all(repairBox({ dir }))).toEqual([]);
    await importBox({ dir }, numbered(lines));
    expect(await kept()).toEqual(before);
  });

  it('is made by an import, with a key of its own', async () => {
    await importBox({ dir: join(parent, 'new') }, numbered(['{"lanpost":"export","format":1,"box":"b","exported":1}']));
    expect((await readFile(join(parent, 'new', 'key.pem'), 'utf8')).length).toBeGreaterThan(100);
  });
});
