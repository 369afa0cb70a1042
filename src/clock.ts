/** A timer that can be stopped. Stopping twice is harmless. */
export interface Timer {
  stop(): void;
}

/** The clock port: all time in lanpost comes through here, so that tests can own it. */
export interface Clock {
  /** Wall time in milliseconds since 1970; may jump. */
  wall(): number;
  /** Monotonic milliseconds since an arbitrary start; never goes back. */
  mono(): number;
  /** Whether wall time can be believed: the clock is past this build's date. */
  isSet(): boolean;
  /** Calls once after `ms`; does not keep the process alive by itself. */
  after(ms: number, call: () => void): Timer;
  /** Calls every `ms`; does not keep the process alive by itself. */
  every(ms: number, call: () => void): Timer;
}

/** No box was built before this instant, so a clock that reads less has not been set. */
const BUILD_EPOCH = Date.UTC(2026, 0, 1);

export function createSystemClock(): Clock {
  return {
    wall: () => Date.now(),
    mono: () => performance.now(),
    isSet: () => Date.now() >= BUILD_EPOCH,
    after(ms, call) {
      const timer = setTimeout(call, ms);
      timer.unref();
      return { stop: () => clearTimeout(timer) };
    },
    every(ms, call) {
      const timer = setInterval(call, ms);
      timer.unref();
      return { stop: () => clearInterval(timer) };
    },
  };
}

/** A clock that stands still until it is told to move. */
export interface TestClock extends Clock {
  /** Moves both times on by `ms`, calling each timer when it is due, in order. */
  advance(ms: number): void;
  /** Moves only wall time, as NTP or a dead battery does. */
  jump(ms: number): void;
}

export function createTestClock(start: number = Date.UTC(2026, 10, 1)): TestClock {
  let mono = 0;
  let offset = start;
  let order = 0;
  const timers = new Set<{ due: number; order: number; every?: number; call: () => void }>();

  const add = (ms: number, call: () => void, every?: number): Timer => {
    const timer = { due: mono + ms, order: order++, call, ...(every === undefined ? {} : { every }) };
    timers.add(timer);
    return { stop: () => void timers.delete(timer) };
  };
  const nextDue = (until: number) => {
    let next: { due: number; order: number; every?: number; call: () => void } | undefined;
    for (const timer of timers) {
      if (timer.due > until) continue;
      if (!next || timer.due < next.due || (timer.due === next.due && timer.order < next.order)) next = timer;
    }
    return next;
  };

  return {
    wall: () => mono + offset,
    mono: () => mono,
    isSet: () => mono + offset >= BUILD_EPOCH,
    after: (ms, call) => add(Math.max(0, ms), call),
    every: (ms, call) => add(Math.max(1, ms), call, Math.max(1, ms)),
    jump(ms) { offset += ms; },
    advance(ms) {
      const until = mono + ms;
      for (let timer = nextDue(until); timer; timer = nextDue(until)) {
        mono = Math.max(mono, timer.due);
        if (timer.every === undefined) timers.delete(timer);
        else timer.due += timer.every;
        timer.call();
      }
      mono = until;
    },
  };
}
