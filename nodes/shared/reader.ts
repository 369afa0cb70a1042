import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Node, NodeAPI } from 'node-red';
import type { Box } from '../../src/index.ts';
import type { BoxUserDef } from './box-node.ts';
import { follow } from './following.ts';
import { NodeStatus } from './node-status.ts';

/** What a box hands out one after another. */
export interface Source<T> extends AsyncIterable<T> {
  close?(): Promise<void>;
}

/** The receiving half of a node that reads one source: what comes is sent on, and counted in its status. */
export function readThrough<T>(RED: NodeAPI, node: Node, def: BoxUserDef, task: {
  open(box: Box, signal: AbortSignal): Source<T>;
  /** Sends it on. */
  each(item: T): void;
  /** The next nodes have it. */
  arrived?(item: T): void;
  /** The node was deleted, or disabled. */
  removed?(box: Box): Promise<void>;
  /** What the status says while all is well. */
  words(): string;
}, status: NodeStatus = new NodeStatus(node)): void {
  const once = async (box: Box, signal: AbortSignal): Promise<void> => {
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
  follow(RED, node, def, status, { once, removed: async (box) => task.removed?.(box) });
}
