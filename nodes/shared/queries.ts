import type { Node, NodeAPI, NodeMessage } from 'node-red';
import type { Box } from '../../src/index.ts';
import { connectionOf, NO_BOX, type BoxUserDef } from './box-node.ts';
import { outcomeOf, type Done } from './outcome.ts';

/** Questions of one node that wait, for the box or for its answer; the next one fails with words. */
const MAX_ASKED = 1000;

/**
 * The asking half of a node: each message is a question, and goes on with the answer. What is asked before the
 * box is open waits for it.
 */
export function answerQueries(RED: NodeAPI, node: Node, def: BoxUserDef, answer: (box: Box, msg: NodeMessage, closing: AbortSignal) => Promise<(NodeMessage | null)[]>): void {
  const closing = new AbortController();
  let asked = 0;

  const ask = async (msg: NodeMessage): Promise<(NodeMessage | null)[]> => {
    const connection = connectionOf(RED, def);
    if (!connection) throw new Error(NO_BOX);
    if (asked >= MAX_ASKED) throw new Error(`${MAX_ASKED} questions wait already`);
    asked++;
    try {
      return await answer(await connection.box(closing.signal), msg, closing.signal);
    } finally {
      asked--;
    }
  };
  const handle = async (msg: NodeMessage, send: (msg: (NodeMessage | null)[]) => void, done: Done): Promise<void> => {
    try {
      send(await ask(msg));
    } catch (error) {
      done(error instanceof Error ? error : new Error(String(error)));
      return;
    }
    done();
  };
  node.on('input', (msg, send, done) => void handle(msg, send, outcomeOf(node, msg, done)));
  node.on('close', () => closing.abort(new Error('the flow was stopped or deployed again before this was answered')));
}
