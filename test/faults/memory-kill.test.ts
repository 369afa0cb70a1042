/* oxlint-disable unicorn/no-await-in-loop -- one kill after the other */
// A box is killed while it takes items of a topic in memory and of one on disk: of the first nothing is left, of the second nothing is
// missing, the store is whole, and whoever reads durably is told of no gap.
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createBox } from '../../src/index.ts';
import { readJsonLines } from '../support/json-lines.ts';
import { auditLog } from '../support/log-audit.ts';
import { seeded } from '../support/seeded.ts';

const PROGRAM = new URL('../support/subscriber.mjs', import.meta.url).pathname;
const ROUNDS = 12;

let dir: string;
beforeEach(async () => { dir = await mkdtemp(join(tmpdir(), 'lanpost-memory-')); });
afterEach(() => rm(dir, { recursive: true, force: true }));

interface Line { readonly open?: true; readonly published?: number; readonly topic?: string }

async function opened(): Promise<ReturnType<typeof createBox>> {
  return createBox({ dir, link: false, name: 'test' });
}

it('leaves nothing of a topic in memory, harms nothing else, and tells no gap, over a dozen kills', async () => {
  const random = seeded(20261201);
  const first = await opened();
  await first.topics.create('ticks', { storage: 'memory', maxItems: 10_000 });
  const keeper = first.subscribe('#', { durable: 'keeper' });
  await keeper.ready;
  await first.close();
  let last = 0;
  const acknowledged: number[] = [];
  const wrong: string[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const program = spawn(process.execPath, [PROGRAM, JSON.stringify({ dir, box: true })]);
    const said = readJsonLines<Line>(program, 'box');
    await said.wait(({ open }) => open === true, { timeout: 60_000 });
    program.stdin.write(`publish 0 3000 ticks\npublish ${last} ${last + 200}\n`);
    last += 200;
    // In memory at once; on disk a moment later.
    await said.wait(({ topic }) => topic === 'ticks', { timeout: 60_000 });
    if (random() < 0.6) await said.wait(({ published, topic }) => topic === 'work' && published === last, { timeout: 60_000 });
    program.kill('SIGKILL');
    await said.ended;
    if (said.lines.some(({ topic }) => topic === 'work')) acknowledged.push(...Array.from({ length: 200 }, (_, i) => last - 200 + i));
    if (round % 4 === 3) wrong.push(...await auditLog(join(dir, 'log')));
  }
  const box = await opened();
  expect(await box.topics.get('ticks')).toMatchObject({ storage: 'memory', items: 0 });
  expect(await box.items('ticks')).toEqual([]);
  await box.publish('work', 'end');
  const kinds = new Set<string>();
  const got = new Set<unknown>();
  for await (const delivery of box.subscribe('#', { durable: 'keeper' })) {
    kinds.add(delivery.kind);
    if (delivery.kind !== 'item') continue;
    if (delivery.value === 'end') break;
    expect(delivery.topic).toBe('work');
    got.add(delivery.value);
  }
  expect(kinds).toEqual(new Set(['item']));
  // What was not acknowledged may be there as well.
  expect(acknowledged.length).toBeGreaterThan(0);
  expect(acknowledged.filter((one) => !got.has(one))).toEqual([]);
  expect(wrong).toEqual([]);
  await box.close();
}, 300_000);
