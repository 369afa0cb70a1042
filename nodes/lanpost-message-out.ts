import type { Node, NodeAPI, NodeMessage } from 'node-red';
import type { SendOptions } from '../src/index.ts';
import type { BoxUserDef } from './shared/box-node.ts';
import { inherited, setByFlow } from './shared/came-with.ts';
import { filledIn } from './shared/filled-in.ts';
import { orClosing } from './shared/or-closing.ts';
import { choiceOf } from './shared/saved-field.ts';
import { secondsOf } from './shared/seconds.ts';
import { sendThrough } from './shared/sender.ts';
import { textOr } from './shared/text-or.ts';
import { unlessRefused } from './shared/unless-refused.ts';

/** When the node is done. */
const UNTIL = ['accepted', 'handed', 'delivered'] as const;

interface MessageOutDef extends BoxUserDef {
  /** Empty: `msg.to`. */
  readonly to: string;
  readonly until?: string;
  /** Seconds until it is given up; empty: `msg.expires`, or the box's 7 days. */
  readonly expires?: string;
}

export default function register(RED: NodeAPI): void {
  function LanpostMessageOut(this: Node, saved: MessageOutDef): void {
    RED.nodes.createNode(this, saved);
    const def = filledIn(RED, this, saved);
    const until = unlessRefused(this, () => choiceOf('until', def.until, UNTIL));
    if (!until) return;
    sendThrough(RED, this, def, {
      did: until === 'accepted' ? 'sent' : until,
      mayHave: 'sent',
      async deliver(box, msg, closing, _send, accepted) {
        const to = textOr(def.to, msg.to);
        if (to === undefined) throw new Error('no address: fill in the node\'s address or set msg.to');
        if (msg.payload === undefined) throw new Error('msg.payload is missing');
        const receipt = await box.send(to, bodyOf(msg.payload), optionsOf(msg, def.expires));
        // What a Complete or Catch node gets tells which message it was.
        msg.receipt = { id: receipt.id, to: receipt.to, state: 'accepted' };
        if (until === 'accepted') return;
        // What is to come from afar is no reason to keep the next one off the disk.
        accepted();
        await orClosing(() => receipt[until], closing, until);
        msg.receipt = { id: receipt.id, to: receipt.to, state: until };
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

function optionsOf(msg: NodeMessage, seconds: string | undefined): SendOptions {
  const id = idOf(msg);
  const subject = textOr('', msg.subject);
  const thread = textOr('', msg.thread);
  return {
    ...(id === undefined ? {} : { id }),
    ...(subject === undefined ? {} : { subject }),
    ...(thread === undefined ? {} : { thread }),
    ...expiry(msg, seconds),
  };
}

/** The field is in seconds, as people think; the message in milliseconds, as all its times. */
function expiry(msg: NodeMessage, seconds: string | undefined): Pick<SendOptions, 'expires'> {
  const expires = secondsOf(seconds);
  if (expires !== undefined) return { expires };
  return typeof msg.expires === 'number' ? { expires: msg.expires } : {};
}

/** What the flow has set; else what tells a repeat of what it came with: an item's own id may be another topic's, too, and mean another. */
function idOf(msg: NodeMessage): string | undefined {
  const { lanpost } = msg;
  const own = setByFlow(msg, 'id');
  if (own !== undefined || typeof lanpost !== 'object' || lanpost === null) return own;
  // A message that came in and is answered still carries its own id: the answer is another message.
  if ('reader' in lanpost) return undefined;
  const { itemRecordId, recordId }: { readonly itemRecordId?: unknown; readonly recordId?: unknown } = lanpost;
  const had = textOr('', itemRecordId) ?? textOr('', recordId) ?? textOr('', msg.id);
  return had === undefined ? undefined : inherited(had, msg);
}
