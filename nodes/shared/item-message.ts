import type { Delivery } from '../../src/index.ts';
import type { CameWith } from './came-with.ts';
import { flowPayload, type PayloadForm } from './payload-form.ts';

/** Plain data that says which delivery a message came from; it survives JSON, clones, links and splits. */
export interface Origin {
  /** Id of the node that reads it. */
  readonly node: string;
  readonly subscription: string;
  /** Another each time the reader begins anew. */
  readonly epoch: string;
  readonly seq: number;
  readonly recordId: string;
  readonly redelivered: boolean;
}

export type ItemMessage = {
  readonly topic: string;
  readonly kind: Delivery['kind'];
  readonly payload?: unknown;
  readonly id?: string;
  readonly time: number;
  readonly publisher?: string;
  readonly contentType?: string;
  /** It is there since before, as the newest of its topic. */
  readonly retained?: boolean;
  readonly lanpost: CameWith & ({ readonly recordId?: string; readonly retained?: true } | Origin);
};

/** A delivery as a flow sees it; an item that is not of the form that is wanted throws. */
export function itemMessage(delivery: Delivery, { form = 'auto', retained = false, reader }: {
  readonly form?: PayloadForm;
  readonly retained?: boolean;
  readonly reader?: Pick<Origin, 'node' | 'subscription' | 'epoch'>;
}): ItemMessage {
  const { topic, kind, time, seq, recordId, redelivered } = delivery;
  if (delivery.kind === 'item') {
    const { contentType, publisher } = delivery;
    // In one piece: most of what a flow gets is made here.
    const lanpost = reader ? { topic, id: delivery.id, contentType, node: reader.node, subscription: reader.subscription, epoch: reader.epoch, seq, recordId, redelivered }
      : retained ? { topic, id: delivery.id, contentType, recordId, retained } : { topic, id: delivery.id, contentType, recordId };
    const message: { -readonly [Key in keyof ItemMessage]: ItemMessage[Key] } = { topic, id: delivery.id, kind, time, lanpost, payload: flowPayload(delivery.value, contentType, form), contentType, retained };
    if (publisher !== undefined) message.publisher = publisher;
    return message;
  }
  const id = 'id' in delivery ? { id: delivery.id } : {};
  const common = { topic, ...id, kind, time, lanpost: { topic, ...id, ...(reader ? { ...reader, seq, recordId, redelivered } : retained ? { retained } : {}) } };
  switch (delivery.kind) {
    case 'gap': {
      const { from, to, reason, count, topics, others } = delivery;
      return { ...common, payload: { from, to, reason, ...(count === undefined ? {} : { count }), ...(topics && { topics }), ...(others && { others }) } };
    }
    default: return common;
  }
}

/** What `lanpost ack` needs of a message, if it is there. */
export function originOf(value: unknown): Origin | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { node, subscription, epoch, seq, recordId, redelivered }: Partial<Record<keyof Origin, unknown>> = value;
  if (typeof node !== 'string' || typeof subscription !== 'string' || typeof epoch !== 'string' || typeof seq !== 'number' || typeof recordId !== 'string') return undefined;
  return { node, subscription, epoch, seq, recordId, redelivered: redelivered === true };
}
