import { setTimeout as pause } from 'node:timers/promises';

/** Asks again and again whoever says nothing of itself, such as another maker's server; rejects when it is not so within `within` ms, with what `tell` then says. */
export async function eventually(so: () => Promise<boolean>, { within = 30_000, every = 50, tell }: { readonly within?: number; readonly every?: number; readonly tell?: () => Promise<unknown> } = {}): Promise<void> {
  const deadline = performance.now() + within;
  while (!await so()) {
    if (performance.now() > deadline) throw new Error(`not within ${within} ms: ${so.toString()}${tell ? ` ${JSON.stringify(await tell())}` : ''}`);
    await pause(every);
  }
}
