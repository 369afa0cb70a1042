import { setImmediate as nextTurn } from 'node:timers/promises';

/** Lets everything happen that can without time passing: in this process, and between its own sockets. */
export async function quiet(): Promise<void> {
  for (let turn = 0; turn < 100; turn += 1) await nextTurn();
}
