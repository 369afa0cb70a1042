import { describe, expect, it } from 'vitest';
import { loseNewest } from '../support/home-store.ts';
import { needs } from '../support/needs.ts';
import { expectExactly, ITEMS, killAndCut, startDrain } from './home-drain.ts';

describe.skipIf(!needs('root', 'ejabberd'))('a home on ejabberd that comes and goes', () => {
  it('gets exactly what the box published, each item once, also what it acknowledged and lost', async () => {
    await using drain = await startDrain('ejabberd');
    expect(await drain.queued()).toBe(ITEMS);
    await drain.restartBox();
    await drain.server.start();
    await killAndCut(drain);
    await drain.server.stop();
    expect(await loseNewest(drain.server, 7)).toBe(7);
    const refilled = drain.reached(ITEMS);
    await drain.server.start();
    await refilled;
    await expectExactly(drain);
  }, 600_000);
});
