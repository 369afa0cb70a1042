import { randomBytes } from 'node:crypto';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createBox } from '../../src/index.ts';
import { writeSynced } from '../../src/log/database.ts';
import { indexKey, PREFIX, prefixRange } from '../../src/log/keys.ts';
import { LevelDatabase } from '../../src/log/level-database.ts';
import { lanpost, objects } from './lanpost.ts';

const ITEMS = 200;
/** And the settings of a topic. */
const RECORDS = ITEMS + 1;
/** Nothing that could be made shorter: each stands in its table file as it is. */
const texts = Array.from({ length: ITEMS }, () => randomBytes(1500).toString('base64'));
const WHOLE = { code: 0, out: 'Everything is whole.\n', err: '' };

let folder: string;
let whole: string;
let count = 0;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lanpost-repair-'));
  whole = join(folder, 'whole');
  await using box = await createBox({ dir: whole, link: false, control: false });
  for (const [name, filter] of [['all', 't/#'], ['other', 'u']] as const) {
    const reader = box.subscribe(filter, { durable: name });
    await reader.ready;
    await reader.close();
  }
  await box.topics.create('t/odd', { title: 'Ünëven' });
  for (const [at, text] of texts.entries()) await box.publish(at % 2 === 0 ? 't/even' : 't/odd', text, { id: `i${at}` });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** A copy of the box that was closed whole. */
async function copied(): Promise<string> {
  const dir = join(folder, `${count++}`);
  await cp(whole, dir, { recursive: true });
  return dir;
}

/** An index row is missing, and nothing else. */
async function bent(): Promise<string> {
  const dir = await copied();
  const database = new LevelDatabase(join(dir, 'log'));
  await database.open();
  const [first] = await database.range({ ...prefixRange(PREFIX.index), limit: 1 });
  await writeSynced(database, [{ key: first?.[0] ?? indexKey(1, 1) }]);
  await database.close();
  return dir;
}

/** Part of a table file is overwritten, where records are. */
async function broken(): Promise<string> {
  const dir = await copied();
  for (const name of await readdir(join(dir, 'log'))) {
    const path = join(dir, 'log', name);
    const bytes = name.endsWith('.ldb') ? await readFile(path) : Buffer.alloc(0);
    const at = bytes.indexOf(texts[100]?.slice(100, 200) ?? '?');
    if (at >= 0) await writeFile(path, bytes.fill(0, at, at + 3000));
  }
  return dir;
}

const repair = (dir: string, ...more: string[]): ReturnType<typeof lanpost> => lanpost(['repair', '--dir', dir, ...more]);

describe('lanpost repair', () => {
  it('of what is whole says so', async () => {
    const dir = await copied();
    expect(await repair(dir)).toEqual(WHOLE);
    expect(await repair(dir, '--json')).toEqual({ ...WHOLE, out: '' });
  });

  it('of rows that do not fit says that nothing is lost, and puts them right', async () => {
    const dir = await bent();
    expect(await repair(dir)).toEqual({ code: 0, out: expect.stringMatching(/^\d+ rows did not fit the others and were put right\.\nNothing is lost\.\n$/), err: '' });
    expect(await repair(dir)).toEqual(WHOLE);
    const { code, out } = await repair(await bent(), '--json');
    expect([code, objects(out)]).toEqual([0, [{ kind: 'log.mended', message: expect.stringContaining('put right') }]]);
  });

  it('of what is lost tells what, exits 1, and then all there is is whole; the ledger says of which topic', async () => {
    const dir = await broken();
    const { code, out, err } = await repair(dir);
    expect([code, err]).toEqual([1, '']);
    expect(out).toMatch(/^\S+ is damaged\. It is being repaired\.\nRecords (\d+) to (\d+) are damaged and lost\.\n/);
    expect(out).not.toContain('Nothing is lost');
    expect(await repair(dir)).toEqual(WHOLE);
    const again = await repair(await broken(), '--json');
    expect([again.code, objects(again.out).filter(({ kind }) => kind !== 'log.mended')]).toEqual([1, [
      { kind: 'log.repair', message: expect.stringMatching(/^\S+ is damaged\. It is being repaired\.$/), code: 'corrupt' }, { kind: 'log.gap', message: expect.stringContaining('are damaged and lost'), code: 'corrupt' },
    ]]);
    const [, from = 0, to = 0] = (/Records (\d+) to (\d+)/.exec(out) ?? []).map(Number);
    await using box = await createBox({ dir, link: false });
    const lines = objects((await lanpost(['ledger', '--json', '--dir', dir])).out).map(({ value }) => value as { readonly topic: string; readonly count: number });
    expect(lines.reduce((sum, one) => sum + one.count, 0)).toBe(to - from + 1);
    expect(lines.every(({ topic }) => topic.startsWith('t/'))).toBe(true);
    const left = [...await box.items('t/even', { from: 'start', limit: ITEMS }), ...await box.items('t/odd', { from: 'start', limit: ITEMS })];
    expect(left.length).toBe(ITEMS - (to - from + 1));
    // Who had yet to read it is told in its place, who did not read it is not.
    const reader = box.subscribe('t/#', { durable: 'all' });
    let gaps = 0;
    for await (const one of reader) {
      if (one.kind === 'gap') gaps += one.count ?? 0;
      else if (one.kind === 'item' && one.id === `i${ITEMS - 1}`) break;
    }
    expect(gaps).toBe(to - from + 1);
    expect((await box.subscriptions.list()).find(({ name }) => name === 'other')).toMatchObject({ pending: 0 });
  });

  it('is what whoever meets damage in a box that runs is told to do; while it runs the directory is in use', async () => {
    const dir = await copied();
    const database = new LevelDatabase(join(dir, 'log'));
    await database.open();
    // What LevelDB has yet to look at does not end as a table does.
    for (const name of (await readdir(join(dir, 'log'))).filter((one) => one.endsWith('.ldb'))) {
      const path = join(dir, 'log', name);
      const bytes = await readFile(path);
      await writeFile(path, bytes.fill(0, bytes.length - 48));
    }
    await expect(database.range({ ...prefixRange(PREFIX.record), limit: ITEMS })).rejects.toMatchObject({ code: 'corrupt', message: 'Stored data is damaged; stop the box and run `lanpost repair`.' });
    const running = await repair(dir);
    expect(running.code).toBe(1);
    expect(running.err).toContain('in use by another process; stop that one first, or choose another data directory.');
    await database.close();
  });

  it('of what LevelDB cannot open for another reason leaves it as it is, and says how to go on', async () => {
    const dir = await copied();
    const lock = join(dir, 'log', 'LOCK');
    await rm(lock);
    await mkdir(lock);
    const { code, err } = await repair(dir);
    expect(code).toBe(1);
    expect(err).toMatch(/cannot be opened, and was left as it is: .*LOCK.*\. Put that right, then start the box again\.\n$/);
    await rm(lock, { recursive: true });
    expect(await repair(dir)).toEqual(WHOLE);
  });
});

describe('lanpost export and import', () => {
  it('bring all of a box into another, once however often, by files and by pipes', async () => {
    const [file, dir, piped] = [join(folder, 'backup.jsonl'), join(folder, 'into'), join(folder, 'piped')];
    expect(await lanpost(['export', file, '--dir', whole])).toEqual({ code: 0, out: expect.stringMatching(/^\d+ lines are in .*backup\.jsonl\n$/), err: '' });
    const into = (): ReturnType<typeof lanpost> => lanpost(['import', file, '--dir', dir]);
    const said = (records: number, repeated: number, topics: number, readers: number): string => `records taken in: ${records}, here already: ${repeated}; topics made: ${topics}; durable readers made: ${readers}\n`;
    expect(await into()).toEqual({ code: 0, out: said(RECORDS, 0, 2, 2), err: '' });
    expect(await into()).toEqual({ code: 0, out: said(0, RECORDS, 0, 0), err: '' });
    const exported = await lanpost(['export', '-', '--dir', dir]);
    expect(exported.code).toBe(0);
    const { code, out } = await lanpost(['import', '-', '--json', '--dir', piped], exported.out);
    expect([code, objects(out)]).toMatchObject([0, [{ repeated: 0, topics: 2, readers: 2, ended: true }]]);
    await using from = await createBox({ dir: whole, link: false, control: false });
    for (const each of [dir, piped]) {
      await using box = await createBox({ dir: each, link: false, control: false });
      for (const topic of ['t/even', 't/odd']) {
        const [there, here] = [await from.items(topic, { from: 'start', limit: ITEMS }), await box.items(topic, { from: 'start', limit: ITEMS })];
        const told = (items: typeof there): unknown[] => items.map((one) => (one.kind === 'item' ? [one.id, one.recordId, one.time, one.value, one.contentType] : one.kind));
        expect(told(here)).toEqual(told(there));
        expect(here.length).toBe(ITEMS / 2);
      }
      expect(await box.topics.get('t/odd')).toMatchObject({ title: 'Ünëven' });
      const reader = box.subscribe('t/#', { durable: 'all' });
      const ids: string[] = [];
      for await (const one of reader) if (one.kind === 'item' && ids.push(one.id) === ITEMS) break;
      expect(ids).toEqual(texts.map((_, at) => `i${at}`));
      await reader.close();
    }
  });
});
