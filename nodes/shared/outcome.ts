import type { Node, NodeMessage } from 'node-red';

export type Done = (error?: Error) => void;

/**
 * How a message ended, told when nobody is there any more who would catch what goes wrong in telling. Node-RED copies
 * the message for Catch and Complete; one that cannot be copied (it is nested too deep, its getters throw) is told of by its id alone.
 */
export function outcomeOf(node: Node, msg: NodeMessage, done: Done): Done {
  const { _msgid } = msg;
  const known = _msgid === undefined ? {} : { _msgid };
  return (error) => {
    try {
      done(error);
    } catch (failed) {
      const why = failed instanceof Error ? failed.message : String(failed);
      node.error(`${error === undefined ? 'it went well, but' : `${error.message};`} its message cannot be handed on: ${why}`, known);
    }
  };
}
