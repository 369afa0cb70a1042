import { describe, expect, it } from 'vitest';
import { needs } from '../support/needs.ts';
import { expectExactly, ITEMS, killAndCut, startDrain } from './home-drain.ts';

describe.skipIf(!needs('root', 'prosody'))('a home on Prosody that comes and goes', () => {
  it('gets exactly what the box published while it was away, each item once', async () => {
    await using drain = await startDrain('prosody');
    expect(await drain.queued()).toBe(ITEMS);
    await drain.restartBox();
    expect(await drain.queued()).toBe(ITEMS);
    await drain.server.start();
    await killAndCut(drain);
    await expectExactly(drain);
  }, 600_000);
});
