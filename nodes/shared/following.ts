import type { Node, NodeAPI } from 'node-red';
import type { Box } from '../../src/index.ts';
import type { Asked } from './asked.ts';
import { connectionOf, NO_BOX, onClose, type BoxUserDef } from './box-node.ts';
import type { NodeStatus } from './node-status.ts';
import { keepReading, type Reading } from './reading.ts';

/** What a node does with its box, again and again, from when both are there until it is closed; how the box stands is said in its status. */
export function follow(RED: NodeAPI, node: Node, def: BoxUserDef, status: NodeStatus, task: Pick<Reading, 'once'> & Partial<Pick<Reading, 'failed'>> & {
  /** What the status says while the box is open, until `once` has something better to say. */
  readonly opening: string;
  /** Told when the box does not answer: of one that is only read nothing else would be known. */
  readonly asked?: Asked;
  /** The node was deleted, or disabled. */
  readonly removed?: (box: Box) => Promise<void>;
}): void {
  const connection = connectionOf(RED, def);
  if (!connection) {
    status.bad(NO_BOX);
    onClose(node, async () => status.close());
    return;
  }
  const stop = new AbortController();
  /** It will never be read. */
  let refused: string | undefined;
  const leave = connection.enter();
  const unwatch = connection.watch((state) => {
    if (state.phase === 'failed') status.bad(state.reason);
    else if (state.phase === 'opening') status.waiting('opening the box');
    else if (refused !== undefined) status.bad(refused);
    else if (state.phase === 'open') status.waiting(task.opening);
  });
  const unasked = task.asked && connection.watchAnswers((answer) => task.asked?.also(answer));
  const failed = (words: string, final: boolean): void => {
    status.bad(words);
    if (final) refused = words;
    if (final) node.error(words);
  };
  const running = keepReading({ connection, started: connection.flowsStarted(), failed, once: task.once, ...(task.failed ? { failed: task.failed } : {}) }, stop.signal);
  onClose(node, async (removed) => {
    unwatch();
    unasked?.();
    stop.abort(new Error('the node was closed'));
    await running;
    if (removed && connection.state.phase === 'open') await task.removed?.(connection.state.box);
    leave();
    status.close();
  });
}
