import { randomBytes } from 'node:crypto';
import type { Node } from 'node-red';
import type { CommandCall, Value } from '../../src/index.ts';

interface Pending {
  readonly resolve: (value: Value | undefined) => void;
  readonly reject: (error: Error) => void;
  readonly since: number;
}

/** Runnings of one command that a flow works on; as many as a box runs at once. */
export class PendingCalls {
  readonly #pending = new Map<string, Pending>();

  get size(): number {
    return this.#pending.size;
  }

  /** Of the oldest, in ms. */
  get age(): number {
    for (const { since } of this.#pending.values()) return performance.now() - since;
    return 0;
  }

  /** Resolves when the flow has answered. `id`: by which it does. */
  wait(call: CommandCall, begin: (id: string) => void): Promise<Value | undefined> {
    return new Promise((resolve, reject) => {
      const id = randomBytes(9).toString('base64url');
      const { signal } = call;
      const end = (reason: unknown): void => {
        this.#pending.delete(id);
        settled();
        reject(reason instanceof Error ? reason : new Error('nobody waits any more'));
      };
      const abort = (): void => end(signal.reason);
      // Whoever holds the call must not hold what waited for its answer.
      const settled = (): void => signal.removeEventListener('abort', abort);
      if (signal.aborted) return abort();
      this.#pending.set(id, {
        resolve: (value) => { settled(); resolve(value); },
        reject: (error) => { settled(); reject(error); },
        since: performance.now(),
      });
      signal.addEventListener('abort', abort, { once: true });
      try {
        begin(id);
      } catch (error) {
        end(error);
      }
    });
  }

  /** Once; `false`: nobody waits for it any more. */
  answer(id: string, settle: (pending: Pending) => void): boolean {
    const pending = this.#pending.get(id);
    if (!pending) return false;
    this.#pending.delete(id);
    settle(pending);
    return true;
  }
}

/** What `lanpost command in` gives to the nodes that answer for it. */
export interface CommandNode extends Node {
  readonly calls: PendingCalls;
}

export function isCommandNode(node: Node): node is CommandNode {
  return 'calls' in node && node.calls instanceof PendingCalls;
}

/** Plain data by which `lanpost command out` finds whom to answer; it survives being stored and copied. */
export interface CallOrigin {
  readonly command: string;
  readonly node: string;
  readonly call: string;
}

export function callOrigin(value: unknown): CallOrigin | undefined {
  if (typeof value !== 'object' || value === null || !('command' in value && 'node' in value && 'call' in value)) return undefined;
  const { command, node, call } = value;
  return typeof command === 'string' && typeof node === 'string' && typeof call === 'string' ? { command, node, call } : undefined;
}
