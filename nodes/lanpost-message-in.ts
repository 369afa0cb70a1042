import type { Node, NodeAPI, NodeMessage } from 'node-red';
import type { Message } from '../src/index.ts';
import { tellerFor, type BoxUserDef } from './shared/box-node.ts';
import { filledIn } from './shared/filled-in.ts';
import { tellLeft } from './shared/left-readers.ts';
import { readThrough } from './shared/reader.ts';
import { choiceOf } from './shared/saved-field.ts';
import { isFrom } from './shared/sender-address.ts';
import { unlessRefused } from './shared/unless-refused.ts';

interface MessageInDef extends BoxUserDef {
  readonly configVersion?: number;
  /** Only from this address; empty: from everyone. */
  readonly from: string;
  /** The named reader; empty: the node's id. */
  readonly reader: string;
  /** What a reader that is new begins with. */
  readonly begin?: string;
}

export default function register(RED: NodeAPI): void {
  function LanpostMessageIn(this: Node, saved: MessageInDef): void {
    RED.nodes.createNode(this, saved);
    const def = filledIn(RED, this, saved);
    const reader = def.reader || this.id;
    const from = unlessRefused(this, () => beginOf(def));
    if (!from) return;
    const teller = tellerFor(RED, this, saved);
    let received = 0;

    readThrough<Message>(RED, this, def, {
      name: `inbox:${reader}`,
      open: (box, signal) => box.messages({ name: reader, from, signal }),
      each: (message) => {
        if (!def.from || isFrom(def.from, message.from)) {
          received++;
          this.send(flowMessage(message, reader));
        }
      },
      arrived: (message) => message.ack(),
      removed: (box) => tellLeft(teller, box, new Set([`inbox:${reader}`])),
      words: () => `received ${received}`,
    });
  }
  RED.nodes.registerType('lanpost message in', LanpostMessageIn);
}

/** Before version 2 there was no choice: one that is new begins with all that is kept, and goes on doing so. */
function beginOf({ configVersion = 1, begin }: MessageInDef): 'new' | 'start' {
  return configVersion >= 2 ? choiceOf('begin', begin, ['new', 'start']) : 'start';
}

function flowMessage(message: Message, reader: string): NodeMessage {
  return {
    payload: message.body,
    from: message.from,
    to: message.to,
    id: message.id,
    time: message.time,
    ...(message.subject === undefined ? {} : { subject: message.subject }),
    ...(message.thread === undefined ? {} : { thread: message.thread }),
    // `id` again, as plain data: how `lanpost message out` knows an answer from a repeat.
    lanpost: { reader, id: message.id, seq: message.seq, trust: message.trust, redelivered: message.redelivered },
  };
}
