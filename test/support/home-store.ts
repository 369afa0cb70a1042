// What is done to the data of a home server that does not run.
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { HomeServer } from './homes.ts';

const run = promisify(execFile);
/** Bytes; several of the largest packs may come into one slot. */
const BALLAST = 2 ** 21;

/** Deletes the newest items of all nodes, as if they had been acknowledged and never written; gives how many there were. */
export async function loseNewest(server: HomeServer, count: number): Promise<number> {
  if (server.kind === 'ejabberd') {
    return mnesia(server, 'pubsub_item', `Rows = lists:sort([{element(1, element(4, R)), Key} || Key <- mnesia:dirty_all_keys(pubsub_item), R <- mnesia:dirty_read(pubsub_item, Key)]),
      Done = lists:nthtail(max(0, length(Rows) - ${count}), Rows),
      [ok = mnesia:dirty_delete(pubsub_item, Key) || {_, Key} <- Done]`);
  }
  return sqlite(server, `DELETE FROM prosodyarchive WHERE sort_id IN (SELECT sort_id FROM prosodyarchive WHERE host = '${server.service}' ORDER BY sort_id DESC LIMIT ${count})`);
}

/**
 * Whatever is in the store is found again after a SIGKILL; the server has run once.
 * COMPAT(Erlang/OTP before erlang/otp#11220): where a dets file was not closed, its repair throws away, however old, all items of
 * a slot that has grown larger than 8 KiB and than the largest that the file's header, which is written seldom, knows of. One item that
 * is larger than any slot becomes makes the header know of it.
 */
export async function keepAll(server: HomeServer): Promise<void> {
  if (server.kind !== 'ejabberd') return;
  await mnesia(server, 'pubsub_item', `Nobody = {{0, 0, 0}, {<<>>, <<>>, <<>>}},
    Done = [mnesia:dirty_write(pubsub_item, {pubsub_item, {<<"ballast">>, <<"none">>}, <<"none">>, Nobody, Nobody, [binary:copy(<<"x">>, ${BALLAST})]})]`);
}

/** `work` binds `Done`, a list. */
async function mnesia({ dir }: HomeServer, table: string, work: string): Promise<number> {
  const program = `mnesia:start(), ok = mnesia:wait_for_tables([${table}], 20000), ${work}, mnesia:sync_log(), mnesia:stop(), io:format("~ndone ~p~n", [length(Done)]), halt().`;
  const { stdout } = await run('erl', ['-noinput', '-mnesia', 'dir', `"${join(dir, 'db')}"`, '-eval', program], { cwd: dir, timeout: 60_000, env: { ...process.env, HOME: dir } });
  const done = /^done (\d+)$/m.exec(stdout)?.[1]; // among reports of mnesia's end
  if (done === undefined) throw new Error(`mnesia did not do it: ${stdout}`);
  return Number(done);
}

async function sqlite({ dir }: HomeServer, statement: string): Promise<number> {
  const program = 'import sqlite3, sys\nc = sqlite3.connect(sys.argv[1])\nn = c.execute(sys.argv[2]).rowcount\nc.commit()\nprint(n)';
  const { stdout } = await run('python3', ['-c', program, join(dir, 'data/prosody.sqlite'), statement], { timeout: 30_000 });
  return Number(stdout);
}
