/* oxlint-disable unicorn/no-await-in-loop -- one kill after the other */
// Programs that read durably, and the box they read, are killed at any moment: nothing is lost, nothing comes
// again that was confirmed and closed, and what comes again says so.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { attachBox } from '../../src/index.ts';
import { type KilledProgram, startProgram } from '../support/killed-program.ts';
import { seeded } from '../support/seeded.ts';

const PROGRAM = new URL('../support/subscriber.mjs', import.meta.url).pathname;

interface Line {
  readonly open?: true;
  readonly ready?: true;
  readonly got?: number;
  readonly redelivered?: boolean;
  readonly acked?: number;
  readonly published?: number;
  readonly closed?: true;
}

type Child = KilledProgram<Line>;

let dir: string;
const children: Child[] = [];
beforeEach(async () => { dir = await mkdtemp(join(tmpdir(), 'lanpost-reader-')); });
afterEach(async () => {
  await Promise.all(children.splice(0).map((child) => child.kill()));
  await rm(dir, { recursive: true, force: true });
});

function start(what: object): Child {
  const child = startProgram<Line>(PROGRAM, 'subscriber', { dir, ...what });
  children.push(child);
  return child;
}

/** What all readers were told, in the order of their lives. */
class Told {
  readonly seen = new Set<number>();
  readonly sealed = new Set<number>();
  readonly wrong: string[] = [];
  repeats = 0;

  /** A reader is gone; `clean`: it said that it had closed. */
  life(lines: readonly Line[]): void {
    const acked = new Set<number>();
    for (const { got, redelivered, acked: done } of lines) {
      if (done !== undefined) acked.add(done);
      if (got === undefined) continue;
      if (this.sealed.has(got)) this.wrong.push(`${got} came again although it was confirmed`);
      if (this.seen.has(got)) this.repeats += 1;
      if (this.seen.has(got) && redelivered !== true) this.wrong.push(`${got} came again without saying so`);
      this.seen.add(got);
    }
    if (lines.some(({ closed }) => closed)) for (const one of acked) this.sealed.add(one);
  }
}

it('loses nothing, and repeats nothing unsaid, over 50 kills of reader, box, and both in one', async () => {
  const random = seeded(20261126);
  const told = new Told();
  const PER_ROUND = 60;
  let last = 0;
  const read = { filter: 'work', nack: 0.05, options: { durable: 'd', from: 'start', inFlight: 16 } };
  for (let round = 0; round < 50; round++) {
    const together = round % 3 === 2;
    const box = start({ box: true, ...(together ? { read } : {}) });
    await box.wait(({ open }) => open === true);
    const reader = together ? box : start({ read });
    await reader.wait(({ ready }) => ready === true);
    box.tell(`publish ${last} ${last + PER_ROUND}`);
    await box.wait(({ published }) => published === last + PER_ROUND);
    last += PER_ROUND;
    const enough = Math.floor(random() * PER_ROUND);
    await reader.wait((line) => line.got !== undefined && reader.lines.filter(({ got }) => got !== undefined).length >= enough);
    const how = random();
    if (how < 0.25 && !together) {
      // A clean close: what it confirmed is never to be seen again.
      reader.tell('close');
      await reader.wait(({ closed }) => closed === true);
    }
    await Promise.all(how < 0.6 || together ? [reader.kill(), box.kill()] : [box.kill()]);
    await reader.kill();
    told.life(reader.lines);
  }
  const box = start({ box: true });
  await box.wait(({ open }) => open === true);
  const reader = start({ read: { ...read, nack: 0 } });
  await reader.wait(({ ready }) => ready === true);
  box.tell(`publish ${last} ${last + 1}`);
  await reader.wait(({ acked }) => acked === last);
  reader.tell('close');
  await reader.wait(({ closed }) => closed === true);
  told.life(reader.lines);
  expect(told.wrong).toEqual([]);
  expect(told.seen.size).toBe(last + 1);
  expect(told.sealed.size).toBeGreaterThan(PER_ROUND);
  expect(told.repeats).toBeGreaterThan(0);
}, 900_000);

it('gives what a killed member of a group held to the others at once, each item to one', async () => {
  const random = seeded(20261127);
  const read = { filter: 'work', options: { durable: 'd', from: 'start', inFlight: 8, group: true } };
  const box = start({ box: true });
  await box.wait(({ open }) => open === true);
  const member = async (): Promise<Child> => {
    const child = start({ read });
    await child.wait(({ ready }) => ready === true);
    return child;
  };
  const members = [await member(), await member(), await member()];
  const gone: Child[] = [];
  let last = 0;
  for (let kill = 0; kill < 20; kill++) {
    box.tell(`publish ${last} ${last + 100}`);
    last += 100;
    const at = Math.floor(random() * members.length);
    const [victim] = members.splice(at, 1);
    if (!victim) throw new Error('there is no member left');
    const enough = victim.lines.length + Math.floor(random() * 20);
    await victim.wait(() => victim.lines.length >= enough, { after: victim.lines.length }).catch(() => undefined);
    await victim.kill();
    gone.push(victim);
    members.push(await member());
  }
  await box.wait(({ published }) => published === last);
  await Promise.all(members.map(async (child) => {
    child.tell('close');
    await child.wait(({ closed }) => closed === true);
  }));
  // What the last of them had not done yet.
  const drain = await member();
  box.tell(`publish ${last} ${last + 1}`);
  await drain.wait(({ acked }) => acked === last);
  drain.tell('close');
  await drain.wait(({ closed }) => closed === true);
  const lines = [...gone, ...members, drain].flatMap((child) => child.lines);
  const times = (what: (line: Line) => number | undefined): Map<number, number> => {
    const counts = new Map<number, number>();
    for (const line of lines) {
      const value = what(line);
      if (value !== undefined) counts.set(value, (counts.get(value) ?? 0) + 1);
    }
    return counts;
  };
  const all = Array.from({ length: last + 1 }, (_, i) => i);
  const acked = times((line) => line.acked);
  expect(all.filter((value) => !acked.has(value))).toEqual([]);
  expect([...times((line) => (line.redelivered === false ? line.got : undefined))].filter(([, count]) => count > 1)).toEqual([]);
  // Twice only what a victim had confirmed when it died, before the box heard of it.
  expect([...acked.values()].filter((count) => count > 1).length).toBeLessThanOrEqual(gone.length * 8);
}, 600_000);

it('puts aside what kills its reader each time, in a program of its own and in the box itself', async () => {
  let box = start({ box: true });
  await box.wait(({ open }) => open === true);
  box.tell('publish 0 20');
  await box.wait(({ published }) => published === 20);
  const read = { filter: 'work', bad: [5, 11], options: { durable: 'd', from: 'start', inFlight: 4, maxDeliveries: 3 } };
  const lives: Child[] = [];
  for (let deaths = 0; deaths < 20; deaths++) {
    const reader = start({ read });
    lives.push(reader);
    const end = await Promise.race([reader.ended, reader.wait(({ acked }) => acked === 19).then(() => 'done')]);
    if (end === 'done') break;
  }
  const attached = await attachBox({ dir });
  const values = async (name: string): Promise<unknown[]> => (await attached.subscriptions.poison(name)).map(({ delivery, deliveries }) => [delivery.kind === 'item' ? delivery.value : delivery.kind, deliveries]);
  expect(await values('d')).toEqual([[5, 3], [11, 3]]);
  await attached.close();
  const good = new Set(Array.from({ length: 20 }, (_, i) => i).filter((i) => i !== 5 && i !== 11));
  const ackedBy = (all: readonly Child[]): Set<number> => new Set(all.flatMap(({ lines }) => lines.flatMap((line) => (line.acked === undefined ? [] : [line.acked]))));
  expect(ackedBy(lives)).toEqual(good);
  await Promise.all(lives.map((child) => child.kill()));
  await box.kill();

  const inBox: Child[] = [];
  for (let deaths = 0; ; deaths++) {
    expect(deaths).toBeLessThan(12);
    inBox.push(box);
    box = start({ box: true, read: { ...read, options: { ...read.options, durable: 'e' } } });
    const end = await Promise.race([box.ended, box.wait(({ acked }) => acked === 19).then(() => 'done')]);
    if (end === 'done') break;
  }
  const again = await attachBox({ dir });
  const poison = await again.subscriptions.poison('e');
  expect(poison.map(({ delivery }) => delivery.kind === 'item' && delivery.value)).toEqual([5, 11]);
  expect(ackedBy([...inBox, box])).toEqual(good);
  await again.close();
}, 600_000);
