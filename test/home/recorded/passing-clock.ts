import { createTestClock, type Clock } from '../../../src/clock.ts';

/** A clock that passes as fast as it is told to, and slows down where this machine does: what waits for the network is not overtaken. */
export interface PassingClock extends Clock {
  /** Milliseconds of it for each that really passes. */
  rate: number;
  /** So long has passed, as far as anybody who asks for the time can tell; no timer is called for it. */
  skip(ms: number): void;
  stop(): void;
}

/** Between two moments of it, in ms, and how much of a pause between them counts. */
const STEP = 2;
const COUNTED = 10;

export function startPassingClock(rate: number): PassingClock {
  const clock = createTestClock();
  let skipped = 0;
  let last = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    clock.advance(Math.min(now - last, COUNTED) * passing.rate);
    last = now;
  }, STEP);
  const passing: PassingClock = {
    rate, wall: () => clock.wall() + skipped, mono: () => clock.mono() + skipped, isSet: () => true,
    after: (ms, call) => clock.after(ms, call), every: (ms, call) => clock.every(ms, call),
    skip(ms) { skipped += ms; },
    stop: () => clearInterval(timer),
  };
  return passing;
}
