import { setImmediate as nextTurn } from 'node:timers/promises';
import type { TestClock } from '../../../src/clock.ts';

/** Lets time go on, as little by little as the real one leaves it, until the work is done. */
export async function during<T>(work: Promise<T>, clock: TestClock): Promise<T> {
  const state = { over: false };
  void work.finally(() => { state.over = true; }).catch(() => undefined); // whoever asked sees it
  while (!state.over) {
    await nextTurn();
    if (!state.over) clock.advance(50);
  }
  return work;
}
