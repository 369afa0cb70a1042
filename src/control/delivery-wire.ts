// Deliveries and messages across the socket: their fields, without what only works at home.
import type { Delivery, Message, Poison } from '../api.ts';
import { checkedDelay } from '../given.ts';
import { isRecord, present } from './record.ts';
import type { Arrival } from './rpc-client.ts';
import { take } from './take.ts';
import { packValue, unpackValue } from './value-wire.ts';
import { ProtocolError } from './wire.ts';

const AT_HOME = { ack: undefined, nack: undefined };

export function packDelivery(delivery: Delivery): Record<string, unknown> {
  const value = delivery.kind === 'item' ? { value: packValue(delivery.value) } : {};
  return present({ ...delivery, ...AT_HOME, ...value });
}

export function unpackDelivery(arrival: Arrival): Delivery {
  const { value } = arrival;
  if (!isRecord(value) || typeof value['kind'] !== 'string') throw new ProtocolError('not a delivery');
  return take({
    ...value,
    ...value['kind'] === 'item' ? { value: unpackValue(value['value']) } : {},
    ack: () => arrival.ack(),
    nack: (options?: { readonly delay?: number }) => arrival.nack(checkedDelay(options?.delay)),
  });
}

export function packPoison(poison: Poison): Record<string, unknown> {
  return present({ ...poison, delivery: packDelivery(poison.delivery) });
}

/** There is nothing to confirm in a list. */
export function unpackPoison(arrival: Arrival): Poison {
  const { value } = arrival;
  if (!isRecord(value)) throw new ProtocolError('not a record put aside');
  const delivery = unpackDelivery({ value: value['delivery'], ack: () => undefined, nack: () => undefined });
  return take({ ...value, delivery });
}

export function packMessage(message: Message): Record<string, unknown> {
  return present({ ...message, ...AT_HOME });
}

export function unpackMessage(arrival: Arrival): Message {
  const { value } = arrival;
  if (!isRecord(value) || typeof value['body'] !== 'string') throw new ProtocolError('not a message');
  return take({ ...value, ack: () => arrival.ack() });
}
