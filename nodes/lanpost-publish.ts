import type { Node, NodeAPI, NodeMessage } from 'node-red';
import type { PublishOptions } from '../src/index.ts';
import type { BoxUserDef } from './shared/box-node.ts';
import { inherited, setByFlow } from './shared/came-with.ts';
import { filledIn } from './shared/filled-in.ts';
import { orClosing } from './shared/or-closing.ts';
import { fitting, inMediaType, PAYLOAD_FORMS, publishable, type Typed } from './shared/payload-form.ts';
import { choiceOf, numberOf } from './shared/saved-field.ts';
import { sendThrough } from './shared/sender.ts';
import { textOr } from './shared/text-or.ts';
import { unlessRefused } from './shared/unless-refused.ts';

/** Which of two goes first: what the flow has set in the message, or what is filled in here. */
const PREFERENCES = ['msg', 'node'] as const;
type Preference = (typeof PREFERENCES)[number];

/** When the node is done: the item is on the disk where it is published, or the reader has it, too. */
const UNTIL = ['accepted', 'delivered'] as const;

interface PublishDef extends BoxUserDef {
  readonly configVersion?: number;
  /** Empty: `msg.topic`. */
  readonly topic: string;
  /** Empty: `msg.id`, or one of its own. */
  readonly itemId?: string;
  /** Of topic and id. */
  readonly prefer?: string;
  /** Empty: from the payload's own type. */
  readonly contentType: string;
  readonly form?: string;
  /** Seconds; empty: what the topic says. */
  readonly expires?: number | string;
  /** The peer at which it is published; empty: here. */
  readonly at?: string;
  readonly until?: string;
  /** Who is to have it, when that is waited for: `xmpp:JID` of a home, or a durable reader of the box. */
  readonly reader?: string;
}

export default function register(RED: NodeAPI): void {
  function LanpostPublish(this: Node, saved: PublishDef): void {
    RED.nodes.createNode(this, saved);
    const def = filledIn(RED, this, saved);
    const settings = unlessRefused(this, () => ({
      form: choiceOf('form', def.form, PAYLOAD_FORMS), prefer: preferenceOf(def), until: choiceOf('until', def.until, UNTIL),
      expires: numberOf('expires', def.expires, { otherwise: Number.NaN }) * 1000,
    }));
    if (!settings) return;
    const { form, prefer, until, expires } = settings;
    sendThrough(RED, this, saved, {
      did: until === 'delivered' ? 'delivered' : 'published',
      mayHave: 'published',
      isFollowed: true,
      async deliver(box, msg, closing, _send, accepted) {
        // What a message still has from where it was read was not set by the flow, else it would go back there.
        const topic = (prefer === 'msg' ? setByFlow(msg, 'topic') : undefined) ?? textOr(def.topic, msg.topic);
        if (topic === undefined) throw new Error('no topic: fill in the node\'s topic or set msg.topic');
        const { value, contentType: ofForm } = publishable(msg.payload, form);
        const said = def.contentType || ofForm;
        const typed = (as: string | undefined): Typed => (as === undefined ? { value } : { value: inMediaType(value, as), contentType: as });
        const { value: sent, contentType } = said ? typed(said) : fitting(setByFlow(msg, 'contentType'), value) ?? typed(keptType(msg.contentType, msg.payload));
        const follow = until === 'delivered' ? readerOf(def) : undefined;
        const published = await box.publish(topic, sent, { ...optionsOf(def, { prefer, expires }, msg, contentType), ...(follow === undefined ? {} : { follow }) });
        if (follow === undefined) return;
        // What is to come from afar is no reason to keep the next one off the disk.
        accepted();
        await orClosing((signal) => box.delivered(published.seq, follow, { signal }), closing, 'delivered');
      },
    });
  }
  RED.nodes.registerType('lanpost publish', LanpostPublish);
}

/** Before version 3 there was no choice: what was filled in went first, and goes on doing so. */
function preferenceOf({ configVersion = 1, prefer }: PublishDef): Preference {
  return configVersion >= 3 ? choiceOf('prefer', prefer, PREFERENCES) : 'node';
}

function readerOf({ reader = '' }: PublishDef): string {
  const name = reader.trim();
  if (name === '') throw new Error('nobody to be delivered to: fill in the home or the durable reader');
  return name;
}

function idOf({ itemId }: PublishDef, prefer: Preference, msg: NodeMessage): string | undefined {
  const set = setByFlow(msg, 'id');
  if (itemId && (prefer === 'node' || set === undefined)) return itemId;
  const had = textOr('', msg.id);
  return set ?? (had === undefined ? undefined : inherited(had, msg));
}

function optionsOf(def: PublishDef, { prefer, expires: saved }: { readonly prefer: Preference; readonly expires: number }, msg: NodeMessage, contentType: string | undefined): PublishOptions {
  const id = idOf(def, prefer, msg);
  const expires = numberOf('msg.expires', msg.expires, { otherwise: saved, least: -Infinity });
  const at = def.at?.trim();
  return {
    ...(id === undefined ? {} : { id }),
    ...(contentType === undefined ? {} : { contentType }),
    ...(Number.isNaN(expires) ? {} : { expires }),
    ...(at ? { at } : {}),
  };
}

/** What was left over from where it was read, as far as it may be of what the payload is now: text and bytes do not say what they hold, everything else does. */
function keptType(contentType: unknown, payload: unknown): string | undefined {
  if (typeof contentType !== 'string') return undefined;
  if (typeof payload === 'string') return /^(text\/|application\/([\w.-]+\+)?xml$)/.test(contentType) ? contentType : undefined;
  return payload instanceof Uint8Array && !/^(text\/|application\/(json|xml)$)/.test(contentType) ? contentType : undefined;
}
