import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { placeStarter } from '../../src/editor/starter.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
let dir: string;
beforeEach(async () => { dir = await mkdtemp(join(tmpdir(), 'lanpost-')); });
afterEach(() => rm(dir, { recursive: true, force: true }));

it('the first start begins with the starter flow', async () => {
  expect(await placeStarter(root, dir)).toBe(true);
  const flows = JSON.parse(await readFile(join(dir, 'flows.json'), 'utf8')) as { type: string }[];
  expect(flows.map((node) => node.type)).toEqual(expect.arrayContaining(['lanpost box', 'lanpost publish', 'lanpost subscribe', 'comment']));
});

it('flows that are there are never touched, not even empty ones', async () => {
  await writeFile(join(dir, 'flows.json'), '[]');
  expect(await placeStarter(root, dir)).toBe(false);
  expect(await readFile(join(dir, 'flows.json'), 'utf8')).toBe('[]');
});
