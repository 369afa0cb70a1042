import { expect, it } from 'vitest';
import { createTestClock } from '../../src/clock.ts';
import { type ErrorCode, LanpostError } from '../../src/errors.ts';
import { Asking } from '../../src/link/asking.ts';
import { quiet } from '../support/quiet.ts';

const PEER = { name: 'a@h1', fingerprint: 'a'.repeat(64) };

function asking() {
  const clock = createTestClock();
  const wanted = new Set([{ fingerprint: PEER.fingerprint }]);
  const box = { clock, wanted, asked: [] as string[], failed: [] as unknown[], answer: undefined as ErrorCode | undefined };
  const asks = new Asking({
    clock, wanted: () => wanted,
    ask: (name) => {
      box.asked.push(name);
      return box.answer === undefined ? Promise.resolve() : Promise.reject(new LanpostError(box.answer));
    },
    failed: (_, error) => void box.failed.push(error),
  });
  return { box, asks };
}

it('a peer that could not answer is asked again as long as its stream is open, until it has', async () => {
  const { box, asks } = asking();
  box.answer = 'timeout';
  asks.opened(PEER);
  await quiet();
  box.clock.advance(5_000);
  await quiet();
  expect(box.asked).toEqual(['a@h1', 'a@h1']);
  box.answer = undefined;
  box.clock.advance(5_000);
  await quiet();
  box.clock.advance(60_000);
  expect(box.asked).toHaveLength(3);
  expect(box.failed).toHaveLength(2);
  asks.close();
});

it('a refusal is an answer', async () => {
  const { box, asks } = asking();
  box.answer = 'forbidden';
  asks.opened(PEER);
  await quiet();
  box.clock.advance(60_000);
  expect(box.asked).toHaveLength(1);
  asks.close();
});

it('nobody is asked again whose stream has ended, or of whom nothing is wanted any more', async () => {
  const { box, asks } = asking();
  box.answer = 'busy';
  asks.opened(PEER);
  await quiet();
  asks.closed(PEER);
  box.clock.advance(60_000);
  expect(box.asked).toHaveLength(1);
  asks.opened(PEER);
  await quiet();
  box.wanted.clear();
  box.clock.advance(60_000);
  expect(box.asked).toHaveLength(2);
  asks.close();
});
