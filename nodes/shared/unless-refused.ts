import type { Node } from 'node-red';
import { inWords } from './in-words.ts';
import { NodeStatus } from './node-status.ts';
import { outcomeOf } from './outcome.ts';

/** What a node is set to; undefined when a field of it is wrong: then it does nothing, and its status, the log and Catch, for each message that it gets, say which. */
export function unlessRefused<S>(node: Node, settings: () => S): S | undefined {
  try {
    return settings();
  } catch (error) {
    const words = inWords(error);
    const status = new NodeStatus(node);
    status.bad(words);
    node.error(words);
    node.on('input', (msg, _send, done) => outcomeOf(node, msg, done)(new Error(words)));
    node.on('close', () => status.close());
    return undefined;
  }
}
