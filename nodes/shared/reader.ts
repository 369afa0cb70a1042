import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Node, NodeAPI } from 'node-red';
import type { Box } from '../../src/index.ts';
import { Asked } from './asked.ts';
import type { BoxUserDef } from './box-node.ts';
import { follow } from './following.ts';
import { NodeStatus } from './node-status.ts';
import { queueInWords, ReaderBacklog } from './reader-backlog.ts';
import { unlessAborted } from './reading.ts';

/** From then on the status says how old the oldest is of what waits. */
const OLD_MS = 60_000;

/** After so many items it may be behind. */
const TURN = 64;

/** What a box hands out one after another. */
export interface Source<T> extends AsyncIterable<T> {
  /** Resolves when the reader is in place. */
  readonly ready: Promise<void>;
  close(): Promise<void>;
}

/** The receiving half of a node that reads one source: what comes is sent on, and counted in its status. */
export function readThrough<T>(RED: NodeAPI, node: Node, def: BoxUserDef, task: {
  /** The durable reader, as the box lists it. */
  readonly name: string;
  open(box: Box, signal: AbortSignal): Source<T>;
  /** Sends it on. */
  each(item: T): void;
  /** The next nodes have it. */
  arrived(item: T): void;
  /** The node was deleted, or disabled. */
  removed?(box: Box): Promise<void>;
  /** What it has to know of the box before it says how it stands; the reader is in place by then. */
  begin?(box: Box): Promise<void>;
  /** What the status says while it reads, and before how much waits. */
  words(): string;
  /** Whether these words are of something that is not well. */
  isFlawed?(): boolean;
}): void {
  const status = new NodeStatus(node);
  const asked = new Asked(status);
  let reads = false;
  let inTurn = 0;
  const say = (): void => {
    if (reads) status[task.isFlawed?.() === true ? 'flawed' : 'good'](task.words() + queueInWords([backlog.now], OLD_MS));
  };
  const backlog = new ReaderBacklog({ isOf: ({ name, durable }) => durable && name === task.name, asked, changed: () => status.changed(say) });
  const once = async (box: Box, signal: AbortSignal): Promise<void> => {
    const source = task.open(box, signal);
    try {
      await source.ready;
      if (signal.aborted) return;
      await unlessAborted(backlog.look(box), signal);
      if (task.begin) await unlessAborted(asked.answer(task.begin(box)), signal);
      reads = true;
      status.changed(say);
      for await (const item of source) {
        if (signal.aborted) return;
        task.each(item);
        backlog.passed();
        status.changed(say);
        if (++inTurn % TURN === 0) backlog.lookLater(box);
        // Node-RED hands on in the next turn of the loop. A deployment that comes first closes the next
        // nodes: what they did not get is not confirmed, so it comes again.
        await nextTurn();
        if (signal.aborted) return;
        task.arrived(item);
      }
    } finally {
      reads = false;
      backlog.rest();
      await source.close();
    }
  };
  follow(RED, node, def, status, { opening: 'opening the reader', once, asked, removed: async (box) => task.removed?.(box) });
}
