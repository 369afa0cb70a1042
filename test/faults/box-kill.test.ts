/* oxlint-disable unicorn/no-await-in-loop -- one kill after the other */
// A whole box is killed at any moment while its owner and peers publish, confirm, make, configure and delete topics, give and take back affiliations,
// rights, subscriptions and leases: what was acknowledged is as it was, what was taken back is not there, and counters are exact.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { changed } from '../support/file-changes.ts';
import { type KilledProgram, startProgram } from '../support/killed-program.ts';
import { auditLeft } from '../support/log-check.ts';
import { seeded } from '../support/seeded.ts';

const PROGRAM = new URL('../support/owner-box.mjs', import.meta.url).pathname;
const KILLS = 20;

type Cells = Readonly<Record<string, string | number>>;
interface Line {
  readonly state?: Cells;
  readonly will?: Cells;
  readonly did?: Cells;
  readonly acking?: readonly [topic: string, n: number];
  readonly gap?: unknown;
  readonly all?: readonly (readonly [topic: string, n: number])[];
  readonly rest?: readonly (readonly [topic: string, n: number])[];
}

let dir: string;
const children: KilledProgram<Line>[] = [];
beforeEach(async () => { dir = await mkdtemp(join(tmpdir(), 'lanpost-box-kill-')); });
afterEach(async () => {
  await Promise.all(children.splice(0).map((child) => child.kill()));
  await rm(dir, { recursive: true, force: true });
});

function start(): KilledProgram<Line> {
  const child = startProgram<Line>(PROGRAM, 'box', { dir });
  children.push(child);
  return child;
}

/** What may be on disk: of each cell what was acknowledged last, and besides it what was asked for and not acknowledged. */
class Owned {
  readonly #may = new Map<string, Set<string | number>>();
  readonly wrong: string[] = [];
  /** How often a cell was changed, and then found as it should be. */
  readonly changes = new Map<string, number>();

  found(when: string, state: Cells): void {
    for (const [cell, value] of Object.entries(state)) {
      const may = this.#may.get(cell) ?? new Set([value]);
      if (!may.has(value)) this.wrong.push(`${when}: ${cell} is ${value}, and may be ${[...may].join(' or ')}`);
      this.#may.set(cell, new Set([value]));
    }
  }

  heard({ will, did }: Line): void {
    for (const [cell, value] of Object.entries(will ?? {})) this.#may.get(cell)?.add(value);
    for (const [cell, value] of Object.entries(did ?? {})) {
      this.#may.set(cell, new Set([value]));
      this.changes.set(cell, (this.changes.get(cell) ?? 0) + 1);
    }
  }
}

it('keeps what its owner and peers were told is kept, and nothing that was taken back, over 25 kills', async () => {
  const random = seeded(20261203);
  const owned = new Owned();
  const acking = new Set<string>();
  const gaps: unknown[] = [];
  const unfit: string[] = [];
  for (let kill = 0; kill < KILLS; kill++) {
    if (kill % 4 === 3) {
      // One that mends what the last one left.
      const over = new AbortController();
      const enough = changed(join(dir, 'log'), Math.floor(random() * 20), over.signal);
      const opening = start();
      opening.wait(({ state }) => state !== undefined).then(() => over.abort(), () => undefined); // killed before that
      await enough;
      await opening.kill();
      unfit.push(...await auditLeft(join(dir, 'log')));
    }
    const box = start();
    const { state = {} } = await box.wait((line) => line.state !== undefined);
    owned.found(`after kill ${kill}`, state);
    box.tell('work');
    const enough = 20 + Math.floor(random() * 600);
    let did = 0;
    await box.wait((line) => line.did !== undefined && ++did >= enough);
    await box.kill();
    for (const line of box.lines) {
      owned.heard(line);
      if (line.acking) acking.add(line.acking.join(' '));
      if (line.gap !== undefined) gaps.push(line.gap);
    }
    unfit.push(...await auditLeft(join(dir, 'log')));
  }
  expect(unfit).toEqual([]);
  const box = start();
  const { state = {} } = await box.wait((line) => line.state !== undefined);
  owned.found('at last', state);
  expect(owned.wrong).toEqual([]);
  // Each was changed, again and again.
  expect(Object.keys(state).filter((cell) => (owned.changes.get(cell) ?? 0) < KILLS)).toEqual([]);
  box.tell('read');
  const { rest = [] } = await box.wait((line) => line.rest !== undefined);
  const { all = [] } = await box.wait((line) => line.all !== undefined);
  const of = (topic: string, some: readonly (readonly [string, number])[]): number[] => some.filter(([one]) => one === topic).map(([, n]) => n);
  for (const topic of ['work/0', 'work/1']) {
    const published = Array.from({ length: Number(state[topic]) }, (_, i) => i + 1);
    expect(of(topic, all)).toEqual(published);
    // What it had not begun to confirm comes again, in order, each once.
    const again = of(topic, rest);
    expect(again).toEqual([...new Set(again)].toSorted((a, b) => a - b));
    expect(published.filter((n) => !acking.has(`${topic} ${n}`) && !again.includes(n))).toEqual([]);
  }
  expect(gaps).toEqual([]);
  expect(await box.ended).toBe(0);
}, 300_000);
