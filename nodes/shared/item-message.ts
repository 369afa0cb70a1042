import type { Delivery, Value } from '../../src/index.ts';

/** Plain data that says which delivery a message came from. */
export interface Origin {
  readonly subscription: string;
  readonly recordId: string;
  readonly seq: number;
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
  readonly lanpost: Origin;
};

/** A delivery as a flow sees it. */
export function itemMessage(delivery: Delivery, subscription: string): ItemMessage {
  const common = {
    topic: delivery.topic,
    kind: delivery.kind,
    time: delivery.time,
    lanpost: { subscription, recordId: delivery.recordId, seq: delivery.seq, redelivered: delivery.redelivered },
  };
  switch (delivery.kind) {
    case 'item': return {
      ...common,
      payload: flowValue(delivery.value),
      id: delivery.id,
      contentType: delivery.contentType,
      ...(delivery.publisher === undefined ? {} : { publisher: delivery.publisher }),
    };
    case 'retract': return { ...common, id: delivery.id };
    case 'gap': return { ...common, payload: { from: delivery.from, to: delivery.to, reason: delivery.reason, ...(delivery.count === undefined ? {} : { count: delivery.count }) } };
    default: return common;
  }
}

/** Bytes are Buffers in Node-RED. */
export function flowValue(value: Value): unknown {
  return value instanceof Uint8Array ? Buffer.from(value.buffer, value.byteOffset, value.byteLength) : value;
}
