import { expect, it } from 'vitest';
import { createTestClock } from '../../src/clock.ts';
import { Liveness } from '../../src/home/liveness.ts';
import type { Wire } from '../../src/xmpp/wire.ts';

it('says for how long it has been waited for an answer, and never for one that is not read', () => {
  const clock = createTestClock();
  let reads = true;
  const liveness = new Liveness({ clock, timing: { ask: 2_000, idle: 60_000, silence: 30_000, proof: 30_000 }, ask: () => undefined, reads: () => reads });
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
