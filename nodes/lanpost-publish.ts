import type { Node, NodeAPI } from 'node-red';
import type { Value } from '../src/index.ts';
import type { BoxUserDef } from './shared/box-node.ts';
import { sendThrough } from './shared/sender.ts';
import { textOr } from './shared/text-or.ts';

interface PublishDef extends BoxUserDef {
  /** Empty: `msg.topic`. */
  readonly topic: string;
  /** Empty: from the payload's own type. */
  readonly contentType: string;
}

export default function register(RED: NodeAPI): void {
  function LanpostPublish(this: Node, def: PublishDef): void {
    RED.nodes.createNode(this, def);
    sendThrough(RED, this, def, {
      did: 'published',
      async deliver(box, msg) {
        const topic = textOr(def.topic, msg.topic);
        if (topic === undefined) throw new Error('no topic: fill in the node\'s topic or set msg.topic');
        if (!isValue(msg.payload)) throw new Error(`msg.payload is ${typeof msg.payload}: nothing that can be published`);
        const id = textOr('', msg.id);
        const contentType = def.contentType || keptType(msg.contentType, msg.payload);
        await box.publish(topic, msg.payload, {
          ...(id === undefined ? {} : { id }),
          ...(contentType === undefined ? {} : { contentType }),
        });
      },
    });
  }
  RED.nodes.registerType('lanpost publish', LanpostPublish);
}

/** What may be a value at all; what is inside it is the box's to judge. */
function isValue(payload: unknown): payload is Value {
  return ['string', 'number', 'boolean', 'object'].includes(typeof payload);
}

/** Text and bytes do not say what they hold; everything else does, whatever msg.contentType was left over. */
function keptType(contentType: unknown, payload: unknown): string | undefined {
  if (typeof contentType !== 'string') return undefined;
  if (typeof payload === 'string') return /^(text\/|application\/([\w.-]+\+)?xml$)/.test(contentType) ? contentType : undefined;
  return payload instanceof Uint8Array && !/^(text\/|application\/(json|xml)$)/.test(contentType) ? contentType : undefined;
}
