// A box publishes while its home is down, is killed, and everything arrives once,
// through kills of the home and a silent cut of the path.
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as lasts } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import type { BoxStatus } from '../../src/api.ts';
import { startBox, type BoxProcess } from '../support/box.ts';
import { createHomeServer, type HomeServer } from '../support/homes.ts';
import { createLan, type Lan } from '../support/lan.ts';

export const ITEMS = 2000;
const TOPIC = 'plant/boiler';
const READER = fileURLToPath(new URL('home-reader.mjs', import.meta.url));
const SERVER_HOST = 1;
const BOX_HOST = 2;

export interface Stored { readonly id: string; readonly recordId: string; readonly seq: number; readonly value: { readonly n: number; readonly text: string } }

export interface Drain extends AsyncDisposable {
  readonly server: HomeServer;
  readonly lan: Lan;
  box: BoxProcess;
  /** Resolves with the count once the node holds at least so many. */
  reached(count: number): Promise<number>;
  items(): Promise<Stored[]>;
  restartBox(): Promise<void>;
  queued(): Promise<number>;
  /** The path is dead for so long. */
  cut(ms: number): Promise<void>;
}

const valueOf = (n: number): { n: number; text: string } => ({ n, text: `${'x<&>\u00e9\u{1f600}'.repeat(40)}${n}` });

export async function startDrain(kind: 'prosody' | 'ejabberd'): Promise<Drain> {
  const dir = mkdtempSync(join(tmpdir(), 'lanpost-drain-'));
  const lan = await createLan(2);
  // Slowed to 200 kB/s: as fast as it can be, ejabberd takes everything between two looks at its count, and no kill falls inside.
  const server = await createHomeServer(kind, { lan, host: SERVER_HOST, env: { SHAPER: 'fast' } });
  const start = (): Promise<BoxProcess> => startBox({ dir: join(dir, 'box'), lan, host: BOX_HOST, name: 'a' });
  // Once up, so that there are certificates to give to the box; then down, as the check wants it.
  await server.start();
  await server.stop();
  const { jid, password } = server.account('edge1');
  const secret = join(dir, 'password');
  writeFileSync(secret, `${password}\n`);
  const look = (what: string): ReturnType<Lan['exec']> => lan.exec(SERVER_HOST, process.execPath, [READER, server.host, String(server.port), server.ca, jid, password, server.service, TOPIC, what]);

  const box = await start();
  await box.cli('home', 'add', jid, '--password-file', secret, '--host', server.host, '--port', String(server.port), '--ca', server.ca, '--topics', 'plant/#');
  const publishing = box.run('publish', TOPIC, '-');
  for (let n = 0; n < ITEMS; n++) publishing.child.stdin.write(`${JSON.stringify(valueOf(n))}\n`);
  publishing.child.stdin.end();
  expect(await publishing.ended).toBe(0);

  let seen = 0;
  const waiters = new Set<{ readonly count: number; resolve(count: number): void }>();
  const watcher = look('watch');
  createInterface({ input: watcher.stdout }).on('line', (line) => {
    ({ count: seen } = JSON.parse(line) as { count: number });
    for (const waiter of waiters) if (seen >= waiter.count && waiters.delete(waiter)) waiter.resolve(seen);
  });

  const drain: Drain = {
    server, lan, box,
    reached: (count) => new Promise((resolve) => { waiters.add({ count, resolve }); }),
    async items() {
      const reader = look('items');
      let text = '';
      reader.stdout.setEncoding('utf8').on('data', (piece: string) => { text += piece; });
      await once(reader, 'close');
      return (JSON.parse(text) as Stored[]).toSorted((a, b) => a.seq - b.seq);
    },
    async restartBox() {
      await drain.box.kill();
      drain.box = await start();
    },
    async queued() {
      const [status] = await drain.box.cli('status') as unknown as BoxStatus[];
      return status?.homes[0]?.queued ?? -1;
    },
    async cut(ms) {
      await lan.silentCut(BOX_HOST);
      expect(await drain.queued()).toBeGreaterThan(0);
      await lasts(ms);
      await lan.restore(BOX_HOST);
    },
    async [Symbol.asyncDispose]() {
      watcher.kill('SIGKILL');
      await drain.box.kill();
      await server.down();
      await lan.down();
      rmSync(dir, { recursive: true, force: true });
    },
  };
  return drain;
}

/** The node holds exactly what was published, each once, complete and equal when sorted by sequence. */
export async function expectExactly(drain: Drain): Promise<void> {
  const items = await drain.items();
  expect(items.length).toBe(ITEMS);
  expect(new Set(items.map((item) => item.recordId)).size).toBe(ITEMS);
  expect(items.map((item) => item.value)).toEqual(Array.from({ length: ITEMS }, (_, n) => valueOf(n)));
}

/**
 * Kills the server at 25, 50 and 75 % as counted upstream, then cuts the path for 20 s; fails where one of them fell outside.
 * The cut comes last: after a silence a server's shaper lets a whole backlog through at once, and no kill would fall inside.
 */
export async function killAndCut(drain: Drain): Promise<void> {
  for (const part of [0.25, 0.5, 0.75]) {
    const count = await drain.reached(ITEMS * part);
    await drain.server.kill();
    expect(count / ITEMS).toBeLessThan(part + 0.25);
    expect(await drain.queued()).toBeGreaterThan(0);
    await drain.server.start();
  }
  await drain.reached(ITEMS * 0.76);
  await drain.cut(20_000);
  await drain.reached(ITEMS);
}
