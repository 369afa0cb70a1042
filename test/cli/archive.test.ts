import { execFileSync } from 'node:child_process';
import { constants } from 'node:fs';
import { lstat, mkdtemp, open, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Arguments } from '../../src/cli/arguments.ts';
import { archive } from '../../src/cli/commands/archive.ts';
import { BrokenPipe, Output } from '../../src/cli/output.ts';
import { LevelDatabase } from '../../src/log/level-database.ts';
import { openStopped } from '../../src/stopped-box.ts';
import { item } from '../log/log-fixture.ts';

const HEAD = `${JSON.stringify({ lanpost: 'export', format: 1, box: 'aaaabbbbccccdddd', exported: 0 })}\n`;

let folder: string;
let pipe: string;
let stop: AbortController;
let printed: PassThrough;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lanpost-archive-'));
  pipe = join(folder, 'pipe');
  execFileSync('mkfifo', [pipe]);
  stop = new AbortController();
  printed = new PassThrough();
  noted.length = 0;
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const noted: string[] = [];
const running = async (command: string, file: string): Promise<number | void> => {
  const found = archive.find(({ name }) => name === command);
  return found?.run({
    args: new Arguments(found, [file]), out: new Output({ stream: printed, json: true, colour: false }), dir: join(folder, 'box'), signal: stop.signal,
    note: async (text) => void noted.push(text), attach: () => Promise.reject(new Error('no box runs')),
  });
};
const importing = (): Promise<number | void> => running('import', pipe);
/** Somebody who has opened it to write. */
const writer = () => open(pipe, constants.O_WRONLY | constants.O_NONBLOCK);

describe('an import from a pipe', () => {
  it.each([
    ['to which nobody writes', false, false],
    ['to which nobody writes, ended before it began,', true, false],
    ['whose writer says nothing', false, true],
  ])('%s is ended at once', async (_, before, writes) => {
    if (before) stop.abort(new Error('enough'));
    const ran = importing();
    ran.catch(() => undefined); // it is looked at below
    const other = writes ? await writer() : undefined;
    stop.abort(new Error('enough'));
    await expect(ran).rejects.toThrow('enough');
    await other?.close();
  });

  it('takes what is written to it, to its end', async () => {
    const ran = importing();
    await writeFile(pipe, HEAD);
    await ran;
    expect(JSON.parse(String(printed.read()))).toMatchObject({ records: 0 });
  });
});

describe('an export', () => {
  const made = async (): Promise<void> => (await openStopped(join(folder, 'box'), { make: true })).close();

  it('that nobody reads to its end fails', async () => {
    await made();
    printed.destroy();
    const ran = running('export', '-');
    await expect(ran).rejects.toThrow('not whole');
    await expect(ran).rejects.not.toBeInstanceOf(BrokenPipe);
  });

  it('takes over no file that was begun, nor where that leads', async () => {
    await made();
    const [file, other] = [join(folder, 'b.jsonl'), join(folder, 'other')];
    await writeFile(other, 'mine', { mode: 0o644 });
    await symlink(other, `${file}.part`);
    await running('export', file);
    expect(await readFile(other, 'utf8')).toBe('mine');
    expect((await lstat(file)).mode & 0o777).toBe(0o600);
  });
});

describe('an export of a box that has lost something', () => {
  it('says what, and is none of all there was: exit code 1', async () => {
    const dir = join(folder, 'box');
    const { log, close } = await openStopped(dir, { make: true });
    for (const text of ['1', '2', '3']) await log.append(item('t', text));
    await close();
    const database = new LevelDatabase(join(dir, 'log'));
    await database.open();
    database.witness(9);
    await database.close();
    expect(await running('export', join(folder, 'first.jsonl'))).toBe(1);
    expect(noted).toEqual(['Records 4 to 9 are damaged and lost.']);
    expect(await running('export', join(folder, 'second.jsonl'))).toBeUndefined();
  });
});
