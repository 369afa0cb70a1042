import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock } from '../../src/clock.ts';

/** Rung when something has happened that a test may be waiting for; whoever waits looks then. */
export class Bell {
  readonly #waiting = new Set<() => void>();

  readonly ring = (): void => { for (const wake of this.#waiting) wake(); };

  /** Resolves once `fits` holds, which is looked at now and after every ring; the test's own timeout ends it otherwise. */
  async until(fits: () => boolean | Promise<boolean>): Promise<void> {
    let rung = false;
    let wake = (): void => undefined;
    const hear = (): void => {
      rung = true;
      wake();
    };
    this.#waiting.add(hear);
    try {
      while (!await fits()) {
        if (!rung) await new Promise<void>((resolve) => { wake = resolve; });
        rung = false;
        // What rang may be half done: it is over when the event loop has turned.
        await nextTurn();
      }
    } finally {
      this.#waiting.delete(hear);
    }
  }

  /** A clock whose timers ring when they are set, and when they have been called. */
  heard(clock: Clock): Clock {
    const { ring } = this;
    const heard = (call: () => void) => (): void => {
      call();
      ring();
    };
    return {
      wall: () => clock.wall(),
      mono: () => clock.mono(),
      isSet: () => clock.isSet(),
      after(ms, call) {
        ring();
        return clock.after(ms, heard(call));
      },
      every(ms, call) {
        ring();
        return clock.every(ms, heard(call));
      },
    };
  }
}
