import type { NodeMessage } from 'node-red';
import { textOr } from './text-or.ts';

/** Of `msg.lanpost`, what a message of these nodes had when it was sent: so that is told from what a flow has set. */
export interface CameWith {
  readonly topic?: string;
  readonly id?: string;
  readonly contentType?: string;
  /** The record that `id` is of, where `recordId` is of the message that asked for it. */
  readonly itemRecordId?: string;
  /** Which sequence it is a part of, by `msg.parts.id`. */
  readonly parts?: string;
}

/** `msg.topic`, `msg.id` or `msg.contentType`, unless the message only still has what it came with. */
export function setByFlow(msg: NodeMessage, property: 'topic' | 'id' | 'contentType'): string | undefined {
  const value = textOr('', msg[property]);
  return originsOf(msg).some((one) => cameWithThe(property, value, one)) ? undefined : value;
}

/** A join makes a list of them. */
function originsOf({ lanpost }: NodeMessage): readonly unknown[] {
  return Array.isArray(lanpost) ? lanpost : [lanpost];
}

function cameWithThe(property: keyof CameWith, value: unknown, origin: unknown): boolean {
  return typeof origin === 'object' && origin !== null && property in origin && (origin as CameWith)[property] === value;
}

/**
 * An id that a message has from where it was read names one item. What a split made of that are several: each has its place in it,
 * which is the same when the item comes again.
 */
export function inherited(id: string, msg: NodeMessage): string {
  return id + placeIn(msg.parts, originsOf(msg));
}

function placeIn(parts: unknown, origins: readonly unknown[]): string {
  if (typeof parts !== 'object' || parts === null) return '';
  const { id, index, parts: outer }: { readonly id?: unknown; readonly index?: unknown; readonly parts?: unknown } = parts;
  // It is as it was read: a part of an answer, with an id of its own.
  if (typeof index !== 'number' || origins.some((one) => cameWithThe('parts', id, one))) return '';
  return `${placeIn(outer, origins)}:${index}`;
}

/** The message goes on under a topic that a node gave it, and no flow; `msg.lanpost` keeps what `lanpost ack` needs. */
export function under<M extends NodeMessage>(topic: string, msg: M): M & { readonly topic: string } {
  return { ...msg, topic, lanpost: cameWith(msg.lanpost, { topic }) };
}

export function cameWith(before: unknown, what: CameWith): unknown {
  if (Array.isArray(before)) return before;
  return { ...(typeof before === 'object' ? before : {}), ...what };
}
