import { describe, expect, it } from 'vitest';
import { needs } from '../support/needs.ts';
import { killedOverSmallNode } from './home-small-node.ts';

describe.skipIf(!needs('prosody'))('a node on Prosody that keeps 256 items, as Prosody does', () => {
  it('tells whoever follows it each of more, and none twice but what the server lost, over kills of the box and of the server', async () => {
    await expect(killedOverSmallNode('prosody', { keeps: 256, waiting: 400, live: 200, seed: 1 })).resolves.toBeUndefined();
  });
});
