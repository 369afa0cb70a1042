import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import type { HomeServer } from '../support/homes.ts';
import { needs } from '../support/needs.ts';
import { expectExactly, ITEMS, killAndCut, startDrain } from './home-drain.ts';

/** Deletes the newest rows of the stopped server's items, as if it had acknowledged them and never written. */
async function loseNewest(server: HomeServer, count: number): Promise<void> {
  const program = `mnesia:start(), ok = mnesia:wait_for_tables([pubsub_item], 20000),
    Rows = lists:sort([{element(1, element(4, R)), Key} || Key <- mnesia:dirty_all_keys(pubsub_item), R <- mnesia:dirty_read(pubsub_item, Key)]),
    Newest = lists:nthtail(length(Rows) - ${count}, Rows),
    [ok = mnesia:dirty_delete(pubsub_item, Key) || {_, Key} <- Newest], mnesia:sync_log(), mnesia:stop(), io:format("~nlost ~p~n", [length(Newest)]), halt().`;
  const { stdout } = await promisify(execFile)('erl', ['-noinput', '-mnesia', 'dir', `"${join(server.dir, 'db')}"`, '-eval', program], { cwd: server.dir, timeout: 30_000, env: { ...process.env, HOME: server.dir } });
  expect(/^lost (\d+)$/m.exec(stdout)?.[1]).toBe(String(count)); // among reports of mnesia's end
}

describe.skipIf(!needs('root', 'ejabberd'))('a home on ejabberd that comes and goes', () => {
  it('gets exactly what the box published, each item once, also what it acknowledged and lost', async () => {
    await using drain = await startDrain('ejabberd');
    expect(await drain.queued()).toBe(ITEMS);
    await drain.restartBox();
    await drain.server.start();
    await killAndCut(drain);
    await drain.server.stop();
    await loseNewest(drain.server, 7);
    const refilled = drain.reached(ITEMS);
    await drain.server.start();
    await refilled;
    await expectExactly(drain);
  }, 240_000);
});
