import type { Node, NodeAPI, NodeMessage } from 'node-red';
import type { PublishOptions } from '../src/index.ts';
import type { BoxUserDef } from './shared/box-node.ts';
import { filledIn } from './shared/filled-in.ts';
import { PAYLOAD_FORMS, publishable } from './shared/payload-form.ts';
import { choiceOf, numberOf } from './shared/saved-field.ts';
import { sendThrough } from './shared/sender.ts';
import { textOr } from './shared/text-or.ts';

interface PublishDef extends BoxUserDef {
  /** Empty: `msg.topic`. */
  readonly topic: string;
  /** Empty: `msg.id`, or one of its own. */
  readonly itemId?: string;
  /** Empty: from the payload's own type. */
  readonly contentType: string;
  readonly form?: string;
  /** Seconds; empty: what the topic says. */
  readonly expires?: number | string;
  /** The peer at which it is published; empty: here. */
  readonly at?: string;
}

export default function register(RED: NodeAPI): void {
  function LanpostPublish(this: Node, saved: PublishDef): void {
    RED.nodes.createNode(this, saved);
    const def = filledIn(RED, this, saved);
    const form = choiceOf(def.form, PAYLOAD_FORMS);
    sendThrough(RED, this, saved, {
      did: 'published',
      async deliver(box, msg) {
        const topic = textOr(def.topic, msg.topic);
        if (topic === undefined) throw new Error('no topic: fill in the node\'s topic or set msg.topic');
        const { value, contentType } = publishable(msg.payload, form);
        await box.publish(topic, value, optionsOf(def, msg, contentType));
      },
    });
  }
  RED.nodes.registerType('lanpost publish', LanpostPublish);
}

function optionsOf(def: PublishDef, msg: NodeMessage, ofForm: string | undefined): PublishOptions {
  const id = textOr(def.itemId, msg.id);
  const contentType = def.contentType || (ofForm ?? keptType(msg.contentType, msg.payload));
  const expires = numberOf(msg.expires, { otherwise: numberOf(def.expires, { otherwise: Number.NaN }) * 1000, least: -Infinity });
  const at = def.at?.trim();
  return {
    ...(id === undefined ? {} : { id }),
    ...(contentType === undefined ? {} : { contentType }),
    ...(Number.isNaN(expires) ? {} : { expires }),
    ...(at ? { at } : {}),
  };
}

/** Text and bytes do not say what they hold; everything else does, whatever msg.contentType was left over. */
function keptType(contentType: unknown, payload: unknown): string | undefined {
  if (typeof contentType !== 'string') return undefined;
  if (typeof payload === 'string') return /^(text\/|application\/([\w.-]+\+)?xml$)/.test(contentType) ? contentType : undefined;
  return payload instanceof Uint8Array && !/^(text\/|application\/(json|xml)$)/.test(contentType) ? contentType : undefined;
}
