import { setMaxListeners } from 'node:events';
import type { Node, NodeAPI, NodeMessage } from 'node-red';
import type { Box } from '../../src/index.ts';
import type { Asked } from './asked.ts';
import { connectionOf, NO_BOX, onClose, type BoxUserDef } from './box-node.ts';
import { inWords } from './in-words.ts';
import type { NodeStatus } from './node-status.ts';
import { orLate } from './or-late.ts';
import { outcomeOf, type Done } from './outcome.ts';

/** Questions of one node that wait, for the box or for its answer; the next one fails with words. */
const MAX_ASKED = 1000;

/**
 * The asking half of a node: each message is a question, and goes on with the answer. What is asked before the
 * box is open waits for it. What went wrong with the last one is in the status.
 */
export function answerQueries(RED: NodeAPI, node: Node, def: BoxUserDef, { asked, status }: { readonly asked: Asked; readonly status: NodeStatus }, answer: (box: Box, msg: NodeMessage) => Promise<(NodeMessage | null)[]>): void {
  const connection = connectionOf(RED, def);
  const leave = connection?.enter();
  const closing = new AbortController();
  setMaxListeners(0, closing.signal); // one for each question
  const handling = new Set<Promise<void>>();

  const ask = async (msg: NodeMessage): Promise<(NodeMessage | null)[]> => {
    if (!connection) throw new Error(NO_BOX);
    if (handling.size >= MAX_ASKED) throw new Error(`${MAX_ASKED} questions wait already`);
    return asked.answer(answer(await asked.opened(connection.box(closing.signal)), msg));
  };
  const handle = async (msg: NodeMessage, send: (msg: (NodeMessage | null)[]) => void, done: Done): Promise<void> => {
    try {
      send(await orLate(ask(msg), closing.signal));
      status.wrong('');
    } catch (error) {
      // Without a box that is what it says already.
      if (connection && !closing.signal.aborted) status.wrong(inWords(error));
      done(error instanceof Error ? error : new Error(String(error)));
      return;
    }
    done();
  };
  node.on('input', (msg, send, done) => {
    const handled = handle(msg, send, outcomeOf(node, msg, done)).finally(() => handling.delete(handled));
    handling.add(handled);
  });
  onClose(node, async () => {
    closing.abort(new Error('the flow was stopped or deployed again before this was answered'));
    await Promise.all(handling);
    leave?.();
  });
}
