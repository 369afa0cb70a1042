import { setImmediate as nextTurn } from 'node:timers/promises';

/** Looked at before others have their turn. */
const SLICE = 128;

/** Looks at one after the other, until one look says `enough`; there may be a hundred thousand. */
export async function inSlices<T>(all: Iterable<T>, look: (one: T) => 'enough' | undefined): Promise<void> {
  let looked = 0;
  for (const one of all) {
    if (look(one) === 'enough') return;
    looked += 1;
    if (looked % SLICE === 0) await nextTurn();
  }
}
