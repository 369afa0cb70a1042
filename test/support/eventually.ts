import { setTimeout as pause } from 'node:timers/promises';

/** Asks again and again whoever says nothing of itself, such as another maker's server; rejects when it is not so within `within` ms. */
export async function eventually(so: () => Promise<boolean>, { within = 30_000, every = 50 }: { readonly within?: number; readonly every?: number } = {}): Promise<void> {
  const deadline = performance.now() + within;
  while (!await so()) {
    if (performance.now() > deadline) throw new Error(`not within ${within} ms: ${so.toString()}`);
    await pause(every);
  }
}
