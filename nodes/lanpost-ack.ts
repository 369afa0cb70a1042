import type { Node, NodeAPI, NodeDef, NodeMessage } from 'node-red';
import type { Delivery } from '../src/index.ts';
import { filledIn } from './shared/filled-in.ts';
import { isConfirmed, type Settled } from './shared/handed-out.ts';
import { originOf, type Origin } from './shared/item-message.ts';
import { NodeStatus } from './shared/node-status.ts';
import { outcomeOf, type Done } from './shared/outcome.ts';
import { choiceOf, numberOf } from './shared/saved-field.ts';
import type { Send } from './shared/sender.ts';
import { unlessRefused } from './shared/unless-refused.ts';

/** `message`: what `msg.action` says. */
const ACTIONS = ['ack', 'nack', 'message'] as const;

interface AckDef extends NodeDef {
  readonly action: string;
  /** Milliseconds after which what is given back comes again. */
  readonly delay?: number | string;
}

export default function register(RED: NodeAPI): void {
  function LanpostAck(this: Node, saved: AckDef): void {
    RED.nodes.createNode(this, saved);
    const def = filledIn(RED, this, saved);
    const settings = unlessRefused(this, () => ({ action: choiceOf('action', def.action, ACTIONS), delay: numberOf('delay', def.delay, { otherwise: 0 }) }));
    if (!settings) return;
    const { action } = settings;
    const status = new NodeStatus(this);
    const counts = { ack: 0, nack: 0 };

    const settle = (msg: NodeMessage): void => {
      const how = action === 'message' ? msg.action ?? 'ack' : action;
      if (how !== 'ack' && how !== 'nack') throw new Error('msg.action is ack or nack');
      const delay = numberOf('msg.delay', msg.delay, { otherwise: settings.delay });
      for (const origin of originsOf(msg.lanpost)) {
        const settled = confirm(RED, origin, (delivery) => (how === 'ack' ? delivery.ack() : delivery.nack({ delay })));
        // Of a message that was split each part may confirm it; but what is confirmed cannot be given back.
        if (settled === 'before' && how === 'nack') throw new Error('this is confirmed already: it cannot be given back');
        counts[how]++;
      }
    };
    const handle = (msg: NodeMessage, send: Send, done: Done): void => {
      try {
        settle(msg);
        status.good(`confirmed ${counts.ack}${counts.nack === 0 ? '' : `, gave back ${counts.nack}`}`);
        send(msg);
      } catch (error) {
        status.bad(error instanceof Error ? error.message : String(error));
        done(error instanceof Error ? error : new Error(String(error)));
        return;
      }
      done();
    };
    this.on('input', (msg, send, done) => handle(msg, send, outcomeOf(this, msg, done)));
    this.on('close', () => status.close());
  }
  RED.nodes.registerType('lanpost ack', LanpostAck);
}

/** Of a message, or of several that a join has made one. */
function originsOf(lanpost: unknown): Origin[] {
  const all: readonly unknown[] = Array.isArray(lanpost) ? lanpost : [lanpost];
  return all.filter((one) => !isLastValue(one)).map((one) => {
    const origin = originOf(one);
    if (!origin) throw new Error('msg.lanpost is missing: this message is not from lanpost subscribe, or what it said of that was taken away');
    return origin;
  });
}

/** It is in no need of confirmation. */
function isLastValue(lanpost: unknown): boolean {
  return typeof lanpost === 'object' && lanpost !== null && 'retained' in lanpost && lanpost.retained === true && originOf(lanpost) === undefined;
}

function confirm(RED: NodeAPI, origin: Origin, how: (delivery: Delivery) => void): Settled {
  const node: Node | null | undefined = RED.nodes.getNode(origin.node);
  if (!node || !isConfirmed(node)) throw new Error('the node that read this message is not there any more');
  const settled = node.handedOut.settle(origin, how);
  if (settled === 'gone') throw new Error('this was handed out before the reader began anew, and comes again: confirm that one');
  if (settled === 'other') throw new Error('msg.lanpost names a record that was not handed out: a node on the way has changed it');
  return settled;
}
