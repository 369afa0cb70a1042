import { expect, it } from 'vitest';
import { createTestClock } from '../../src/clock.ts';
import { Liveness } from '../../src/home/liveness.ts';
import type { Wire } from '../../src/xmpp/wire.ts';

it('says for how long it has been waited for an answer, and never for one that is not read', () => {
  const clock = createTestClock();
  let reads = true;
  const liveness = new Liveness({ clock, timing: { ask: 2_000, idle: 60_000, silence: 30_000, proof: 30_000 }, ask: () => undefined, reads: () => reads, length: () => 0 });
  const wire = { lastReceived: 0, destroy: () => undefined };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- nothing else of it is looked at
  liveness.watch(wire as unknown as Wire);
  clock.advance(10_000);
  expect(liveness.unanswered).toBeUndefined();
  liveness.ask();
  clock.advance(4_000);
  // Asking once more begins nothing anew.
  liveness.ask();
  clock.advance(1_000);
  expect(liveness.unanswered).toBe(5_000);
  reads = false;
  expect(liveness.unanswered).toBeUndefined();
  reads = true;
  liveness.heard();
  expect(liveness.unanswered).toBeUndefined();
  liveness.ask();
  clock.advance(1_000);
  expect(liveness.unanswered).toBe(1_000);
  // What comes slowly comes all the same.
  wire.lastReceived = clock.mono();
  clock.advance(500);
  expect(liveness.unanswered).toBe(500);
  liveness.stop();
  expect(liveness.unanswered).toBeUndefined();
});

it('gives a long stanza the time that it takes over the slowest road, and what is short no more than the silence', () => {
  const clock = createTestClock();
  let length = 300;
  const ends: string[] = [];
  const liveness = new Liveness({ clock, timing: { ask: 2_000, idle: 600_000, silence: 30_000, proof: 30_000 }, ask: () => undefined, reads: () => true, length: () => length });
  const wire = { lastReceived: -1, destroy: (reason: Error) => { ends.push(`${reason.message} after ${clock.mono()}`); } };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- nothing else of it is looked at
  liveness.watch(wire as unknown as Wire);
  liveness.ask();
  length = 100_000; // sent after the question
  clock.advance(129_999);
  expect(ends).toEqual([]);
  clock.advance(1);
  expect(ends).toEqual(['The server was silent for 130 s. after 130000']);
  liveness.stop();
  length = 0;
  liveness.watch(wire as unknown as Wire); // oxlint-disable-line typescript/no-unsafe-type-assertion -- as above
  liveness.ask();
  clock.advance(30_000);
  expect(ends.slice(1)).toEqual(['The server was silent for 30 s. after 160000']);
});
