// What a subscription over a stream needs beyond the broker: somebody who delivers to it.
import type { From } from '../../api.ts';
import { NS_LANPOST } from '../../payload/xml.ts';
import type { Actor } from '../../pubsub/actor.ts';
import type { PeerSubscription } from '../../pubsub/peer-subscriptions.ts';
import { attr, children, type Element, namespaceOf } from '../../xml/element.ts';
import { badRequest } from './errors.ts';

/** A subscription of a box. */
export interface Reader { readonly filter: string; readonly reader: string }

export interface Feeder {
  subscribe(actor: Actor, request: Reader & { readonly from: From; readonly durable: boolean }): Promise<void>;
  unsubscribe(actor: Actor, request: Reader): Promise<void>;
  /** Those that it has. */
  list(actor: Actor): readonly Reader[];
  /** Those that boxes have to exactly this. */
  at(filter: string): readonly (Reader & { readonly fingerprint: string })[];
  /** A client that is no box has subscribed. */
  began(subscription: PeerSubscription): void;
}

/** Between boxes `<reader/>` names a subscription and says where it begins. */
export function readerOf(pubsub: Element): { reader: string; from: From; durable: boolean } | undefined {
  const reader = children(pubsub).find((child) => child.name === 'reader' && namespaceOf(child) === NS_LANPOST);
  const name = reader && attr(reader, 'name');
  if (!reader || name === undefined || name === '' || name.length > 128) return undefined;
  return { reader: name, from: fromOf(attr(reader, 'from')), durable: attr(reader, 'durable') !== 'false' };
}

/** `new`, `last`, `start`, `seq:N` or `time:MS`. */
export function fromOf(text = 'new'): From {
  if (text === 'new' || text === 'last' || text === 'start') return text;
  const [kind, number] = text.split(':');
  const value = Number(number);
  if (number !== undefined && Number.isSafeInteger(value) && value >= 0) {
    if (kind === 'seq') return { seq: value };
    if (kind === 'time') return { time: value };
  }
  throw badRequest('invalid-options');
}

export function fromText(from: From): string {
  if (typeof from === 'string') return from;
  return 'seq' in from ? `seq:${from.seq}` : `time:${from.time}`;
}
