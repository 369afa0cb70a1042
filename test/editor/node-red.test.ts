import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, it } from 'vitest';
import { loadNodeRed } from '../../src/editor/node-red.ts';

it('says how to get Node-RED where it is not installed', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'lanpost-'));
  try {
    expect(() => loadNodeRed(pathToFileURL(join(dir, 'editor.js')))).toThrow(
      expect.objectContaining({ name: 'LanpostError', code: 'unsupported', message: expect.stringContaining('npm install node-red') }),
    );
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});
