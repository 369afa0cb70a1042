import type { NodeMessage } from 'node-red';
import { textOr } from './text-or.ts';

/** Of `msg.lanpost`, what a message of these nodes had when it was sent: so that is told from what a flow has set. */
export interface CameWith {
  readonly topic?: string;
  readonly id?: string;
}

/** `msg.topic` or `msg.id`, unless the message only still has what it came with. */
export function setByFlow(msg: NodeMessage, property: 'topic' | 'id'): string | undefined {
  const value = textOr('', msg[property]);
  // A join makes a list of them.
  const origins: readonly unknown[] = Array.isArray(msg.lanpost) ? msg.lanpost : [msg.lanpost];
  return origins.some((one) => typeof one === 'object' && one !== null && property in one && (one as CameWith)[property] === value) ? undefined : value;
}

/** The message goes on under a topic that a node gave it, and no flow; `msg.lanpost` keeps what `lanpost ack` needs. */
export function under<M extends NodeMessage>(topic: string, msg: M): M & { readonly topic: string } {
  return { ...msg, topic, lanpost: cameWith(msg.lanpost, { topic }) };
}

export function cameWith(before: unknown, what: CameWith): unknown {
  if (Array.isArray(before)) return before;
  return { ...(typeof before === 'object' ? before : {}), ...what };
}
