import { describe, expect, it } from 'vitest';
import { needs } from '../support/needs.ts';
import { killedOverSmallNode } from './home-small-node.ts';

describe.skipIf(!needs('ejabberd'))('a node on ejabberd that keeps 1000 items, as ejabberd does', () => {
  it('tells whoever follows it each of more, and none twice but what the server lost, over kills of the box and of the server', async () => {
    await expect(killedOverSmallNode('ejabberd', { keeps: 1000, surely: 900, waiting: 1200, live: 300, seed: 1 })).resolves.toBeUndefined();
  });
});
