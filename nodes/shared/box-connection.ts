import { setTimeout as sleep } from 'node:timers/promises';
import type { Box, Trouble } from '../../src/index.ts';
import type { BoxLease } from './box-pool.ts';
import { inWords } from './in-words.ts';

export type BoxState =
  | { readonly phase: 'opening' }
  | { readonly phase: 'open'; readonly box: Box }
  | { readonly phase: 'failed'; readonly reason: string }
  | { readonly phase: 'closed' };

const FIRST_RETRY_MS = 1000;
const LAST_RETRY_MS = 30_000;
/** How often a box is asked whether it still answers: who only reads would not know. */
const ASK_MS = 5000;
/** Node-RED gives a closing node 15 s; the box itself needs some of them. */
export const USERS_LEAVE_MS = 5000;
/** For the users and the box. */
export const BOX_CLOSES_MS = 9500;

/** The box of one config node: opened in the background, opened again when it fails or goes away. */
export class BoxConnection {
  /** Ask while a node is being made: resolves when all nodes of its flows have been. */
  readonly flowsStarted: () => Promise<void>;
  readonly #take: () => Promise<BoxLease>;
  readonly #trouble: (trouble: Trouble) => void;
  readonly #listeners = new Set<(state: BoxState) => void>();
  readonly #askers = new Set<(answer: Promise<unknown>) => void>();
  readonly #users = new Set<symbol>();
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  #usersLeft: (() => void) | undefined;
  #state: BoxState = { phase: 'opening' };

  constructor(options: {
    readonly take: () => Promise<BoxLease>;
    readonly trouble: (trouble: Trouble) => void;
    readonly flowsStarted: () => Promise<void>;
  }) {
    this.flowsStarted = options.flowsStarted;
    this.#take = options.take;
    this.#trouble = options.trouble;
    this.#running = this.#run(this.#stop.signal);
  }

  get state(): BoxState {
    return this.#state;
  }

  /** Calls with the present state, then with every change; returns how to stop. */
  watch(listener: (state: BoxState) => void): () => void {
    this.#listeners.add(listener);
    listener(this.#state);
    return () => void this.#listeners.delete(listener);
  }

  /** Calls with each question that the box is asked now and then while somebody wants to know: it has stopped when there is no answer. Returns how to stop. */
  watchAnswers(listener: (answer: Promise<unknown>) => void): () => void {
    this.#askers.add(listener);
    return () => void this.#askers.delete(listener);
  }

  /** A user keeps the box open while it finishes; returns how to leave. */
  enter(): () => void {
    const user = Symbol('user');
    this.#users.add(user);
    return () => {
      this.#users.delete(user);
      if (this.#users.size === 0) this.#usersLeft?.();
    };
  }

  /** The box, as soon as it is open. */
  box(signal: AbortSignal): Promise<Box> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      let leave: (() => void) | undefined;
      const abort = (): void => { leave?.(); reject(signal.reason); };
      const settle = (state: BoxState): void => {
        if (state.phase === 'open') resolve(state.box);
        else if (state.phase === 'closed') reject(new Error('the box of this node has been closed'));
        else return;
        signal.removeEventListener('abort', abort);
        leave?.();
      };
      signal.addEventListener('abort', abort, { once: true });
      leave = this.watch(settle);
      if (this.#state.phase === 'open' || this.#state.phase === 'closed') leave();
    });
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #run(signal: AbortSignal): Promise<void> {
    let delay = FIRST_RETRY_MS;
    while (!signal.aborted) {
      let lease: BoxLease;
      try {
        lease = await this.#take();
      } catch (error) {
        this.#set({ phase: 'failed', reason: inWords(error) });
        await pause(delay, signal);
        delay = Math.min(delay * 2, LAST_RETRY_MS);
        continue;
      }
      let reason = 'the box has gone away';
      // Deployed again before it was open: what its users have for it is what they still wait for.
      if (!signal.aborted || this.#users.size > 0) this.#set({ phase: 'open', box: lease.box });
      if (!signal.aborted) {
        const lost = new AbortController();
        void this.#ask(lease.box, lost.signal);
        reason = await this.#untilLost(lease.box, signal);
        lost.abort();
      }
      if (signal.aborted) await this.#untilUnused();
      else this.#set({ phase: 'failed', reason });
      await lease.release({ lost: !signal.aborted }).catch((error: unknown) => {
        this.#trouble({ kind: 'nodes.close', message: `closing the box: ${inWords(error)}` });
      });
      delay = FIRST_RETRY_MS;
      await pause(delay, signal);
    }
    this.#set({ phase: 'closed' });
    this.#listeners.clear();
    this.#askers.clear();
  }

  /** Follows the box's troubles; when they end, so has the box. */
  async #untilLost(box: Box, signal: AbortSignal): Promise<string> {
    try {
      for await (const trouble of box.troubles({ signal })) this.#trouble(trouble);
      return 'the box has gone away';
    } catch (error) {
      return inWords(error);
    }
  }

  async #ask(box: Box, lost: AbortSignal): Promise<void> {
    for (;;) {
      await pause(ASK_MS, lost);
      if (lost.aborted) return;
      if (this.#askers.size === 0) continue;
      const answer = box.status();
      for (const asker of this.#askers) asker(answer);
      await answer.catch(() => undefined); // a box that has gone away is told by its troubles, which end
    }
  }

  async #untilUnused(): Promise<void> {
    if (this.#users.size === 0) return;
    const left = new Promise<void>((resolve) => { this.#usersLeft = resolve; });
    const late = new AbortController();
    await Promise.race([left, pause(USERS_LEAVE_MS, late.signal)]);
    late.abort();
  }

  #set(state: BoxState): void {
    this.#state = state;
    for (const listener of this.#listeners) listener(state);
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  // Only an abort rejects, and it means: stop waiting.
  await sleep(ms, undefined, { signal, ref: false }).catch(() => undefined);
}
