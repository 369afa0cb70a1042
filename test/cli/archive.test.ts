import { execFileSync } from 'node:child_process';
import { constants } from 'node:fs';
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Arguments } from '../../src/cli/arguments.ts';
import { archive } from '../../src/cli/commands/archive.ts';
import { Output } from '../../src/cli/output.ts';

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
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const importing = async (): Promise<number | void> => {
  const command = archive.find(({ name }) => name === 'import');
  return command?.run({
    args: new Arguments(command, [pipe]), out: new Output({ stream: printed, json: true, colour: false }), dir: join(folder, 'box'), signal: stop.signal,
    note: () => undefined, attach: () => Promise.reject(new Error('no box runs')),
  });
};
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
