import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach } from 'vitest';
import { createBox, type Box, type BoxOptions } from '../../src/index.ts';

/** A box without a link, as the one that embeds the editor; closed after the flows that use it. */
export function useEmbeddingBox(flows: { unload(): Promise<void> }): (options?: BoxOptions) => Promise<Box> {
  const opened: { readonly box: Box; readonly dir: string }[] = [];
  afterEach(async () => {
    await flows.unload();
    for (const { box, dir } of opened.splice(0)) {
      await box.close();
      await rm(dir, { recursive: true, force: true });
    }
  });
  return async (options = {}) => {
    const dir = await mkdtemp(join(tmpdir(), 'lanpost-'));
    const box = await createBox({ dir, name: 'me', link: false, control: false, ...options });
    opened.push({ box, dir });
    return box;
  };
}
