import type { Finding } from './api.ts';
import { createSystemClock } from './clock.ts';
import { late } from './late.ts';

/**
 * What `box.doctor()` says of this machine's network, for when no box runs: its interfaces, the port of discovery,
 * and whether anybody is heard.
 * @example
 * for await (const { level, message } of examineMachine()) console.log(level, message);
 */
export async function* examineMachine(options: { readonly signal?: AbortSignal } = {}): AsyncGenerator<Finding> {
  const { machineDoctor } = await late('The doctor', () => import('./link/doctor/doctor.ts'));
  yield* machineDoctor({ clock: createSystemClock() }, options.signal);
}
