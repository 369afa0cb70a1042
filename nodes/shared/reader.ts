import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import type { Node, NodeAPI } from 'node-red';
import type { Box } from '../../src/index.ts';
import { connectionOf, NO_BOX, onClose, type BoxUserDef } from './box-node.ts';
import { codeOf, inWords } from './in-words.ts';
import { NodeStatus } from './node-status.ts';

const FIRST_RETRY_MS = 1000;
const LAST_RETRY_MS = 30_000;

/** What a box hands out one after another. */
export interface Source<T> extends AsyncIterable<T> {
  close?(): Promise<void>;
}

/**
 * The receiving half of a node: reads as soon as the box is open, begins again when the box comes
 * back, tries again when it is refused. Returns the node's status, for counting.
 */
export function readThrough<T>(RED: NodeAPI, node: Node, def: BoxUserDef, task: {
  open(box: Box, signal: AbortSignal): Source<T>;
  /** Sends it on. */
  each(item: T): void;
  /** The next nodes have it. */
  arrived?(item: T): void;
  /** What the status says while all is well. */
  words(): string;
}): void {
  const connection = connectionOf(RED, def);
  const status = new NodeStatus(node);
  if (!connection) {
    status.bad(NO_BOX);
    onClose(node, async () => status.close());
    return;
  }
  const stop = new AbortController();
  const { signal } = stop;
  const started = connection.flowsStarted();
  const leave = connection.enter();
  const unwatch = connection.watch((state) => {
    if (state.phase === 'failed') status.bad(state.reason);
    else if (state.phase === 'opening') status.waiting('opening the box');
  });

  const readOnce = async (): Promise<void> => {
    const box = await connection.box(signal);
    const source = task.open(box, signal);
    status.good(task.words());
    try {
      for await (const item of source) {
        if (signal.aborted) return;
        task.each(item);
        status.good(task.words());
        // Node-RED hands on in the next turn of the loop. A deployment that comes first closes the next
        // nodes: what they did not get is not confirmed, so it comes again.
        await nextTurn();
        if (signal.aborted) return;
        task.arrived?.(item);
      }
    } finally {
      await source.close?.();
    }
  };
  const run = async (): Promise<void> => {
    let delay = FIRST_RETRY_MS;
    await orAborted(started, signal);
    while (!signal.aborted) {
      const began = performance.now();
      try {
        await readOnce();
      } catch (error) {
        if (signal.aborted) return;
        status.bad(inWords(error));
        if (isMistake(error)) {
          node.error(inWords(error));
          return;
        }
      }
      if (performance.now() - began > LAST_RETRY_MS) delay = FIRST_RETRY_MS;
      await sleep(delay, undefined, { signal, ref: false }).catch(() => undefined); // aborted: the loop ends
      delay = Math.min(delay * 2, LAST_RETRY_MS);
    }
  };

  const running = run();
  onClose(node, async () => {
    unwatch();
    stop.abort(new Error('the node was closed'));
    await running;
    leave();
    status.close();
  });
}

function orAborted(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
    void promise.then(resolve);
  });
}

/** Waiting does not mend what the user wrote. */
function isMistake(error: unknown): boolean {
  const code = codeOf(error);
  return error instanceof TypeError || code === 'invalid-topic' || code === 'invalid-value' || code === 'unsupported';
}
