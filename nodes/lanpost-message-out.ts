import type { Node, NodeAPI, NodeMessage } from 'node-red';
import type { SendOptions } from '../src/index.ts';
import type { BoxUserDef } from './shared/box-node.ts';
import { sendThrough } from './shared/sender.ts';
import { textOr } from './shared/text-or.ts';

interface MessageOutDef extends BoxUserDef {
  /** Empty: `msg.to`. */
  readonly to: string;
  /** When the node is done. */
  readonly until: 'accepted' | 'handed' | 'delivered';
}

export default function register(RED: NodeAPI): void {
  function LanpostMessageOut(this: Node, def: MessageOutDef): void {
    RED.nodes.createNode(this, def);
    const until = def.until || 'accepted';
    sendThrough(RED, this, def, {
      did: until === 'accepted' ? 'sent' : until,
      async deliver(box, msg, closing) {
        const to = textOr(def.to, msg.to);
        if (to === undefined) throw new Error('no address: fill in the node\'s address or set msg.to');
        if (msg.payload === undefined) throw new Error('msg.payload is missing');
        const receipt = await box.send(to, bodyOf(msg.payload), optionsOf(msg));
        await (until === 'accepted' ? receipt.accepted : orClosing(receipt[until], closing, until));
      },
    });
  }
  RED.nodes.registerType('lanpost message out', LanpostMessageOut);
}

function bodyOf(payload: unknown): string {
  if (typeof payload === 'string') return payload;
  if (payload instanceof Uint8Array) return Buffer.from(payload).toString('utf8');
  return JSON.stringify(payload);
}

function optionsOf(msg: NodeMessage): SendOptions {
  const id = textOr('', msg.id);
  const subject = textOr('', msg.subject);
  const thread = textOr('', msg.thread);
  return {
    // A message that came in and is answered still carries its own id: the answer is another message.
    ...(id === undefined || id === idOfIncoming(msg) ? {} : { id }),
    ...(subject === undefined ? {} : { subject }),
    ...(thread === undefined ? {} : { thread }),
    ...(typeof msg.expires === 'number' ? { expires: msg.expires } : {}),
  };
}

function idOfIncoming(msg: NodeMessage): unknown {
  const { lanpost } = msg;
  return typeof lanpost === 'object' && lanpost !== null && 'id' in lanpost ? lanpost.id : undefined;
}

/** The box goes on delivering when the flow is stopped; only the waiting ends. */
function orClosing(promise: Promise<void>, closing: AbortSignal, until: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(new Error(`the flow was stopped or deployed again before this was known to be ${until}; the box goes on with it`));
    if (closing.aborted) return abort();
    closing.addEventListener('abort', abort, { once: true });
    promise.then(resolve, reject).finally(() => closing.removeEventListener('abort', abort));
  });
}
