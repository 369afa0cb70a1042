import type { SubscribeOptions } from '../api.ts';
import { LanpostError } from '../errors.ts';
import { checkedObject, checkedOptional } from '../given.ts';
import { checkedFrom } from './from.ts';
import { checkedFilter } from './topic-name.ts';

/** What a durable reader of this box is subject to, kept with its cursor. */
export interface Terms {
  readonly maxDeliveries?: number;
  /** Milliseconds without a reader. */
  readonly expires?: number;
  /** When its last reader left, ms since 1970; absent while it has one. */
  readonly since?: number;
  /** Milliseconds of this box's running since then, as far as they have been noted. */
  readonly idle?: number;
}

const MOST_DELIVERIES = 1000;
/** A hundred years. */
const LONGEST = 100 * 366 * 86_400_000;

/** What is kept with the cursor, whatever an older version kept there. */
export function termsOf(extra: unknown): Terms {
  return typeof extra === 'object' && extra !== null ? extra : {};
}

/** Those that hold once a reader has said what it wants of them. */
export function termsWith(before: Terms, { maxDeliveries, expires }: Pick<SubscribeOptions, 'maxDeliveries' | 'expires'>): Terms {
  const after: { -readonly [K in keyof Terms]: Terms[K] } = { ...before };
  if (maxDeliveries === 0) delete after.maxDeliveries;
  else if (maxDeliveries !== undefined) after.maxDeliveries = maxDeliveries;
  if (expires === 0) delete after.expires;
  else if (expires !== undefined) after.expires = expires;
  return after;
}

/** Whatever it reads from, it is found wrong before anybody is asked. */
export function checkedSubscription(filter: string, options: SubscribeOptions): void {
  checkedFilter(filter);
  checkedObject('the options of a subscription', options);
  const { durable, at, ack, group, inFlight, maxDeliveries, expires, ackWait, maxBacklog } = options;
  for (const [name, value] of Object.entries({ durable, at, ack })) checkedOptional(name, value, 'string');
  checkedOptional('group', group, 'boolean');
  checkedOptional('inFlight', inFlight, 'number');
  checkedFrom(options.from ?? 'new');
  if (durable !== undefined) checkedName(durable);
  if (ack !== undefined && ack !== 'auto' && ack !== 'manual') throw new LanpostError('invalid-value', 'ack is auto or manual');
  if (group === true && durable === undefined) throw new LanpostError('invalid-value', 'group is for durable readers: give it a name with `durable`');
  whole('maxDeliveries', maxDeliveries, MOST_DELIVERIES);
  whole('expires', expires, LONGEST);
  if (durable === undefined && ((maxDeliveries ?? 0) > 0 || (expires ?? 0) > 0)) {
    throw new LanpostError('invalid-value', 'maxDeliveries and expires are for durable readers: give it a name with `durable`');
  }
  whole('ackWait', ackWait, LONGEST);
  if (maxBacklog !== undefined) checkedBacklog(maxBacklog, durable);
}

function checkedName(name: string): void {
  if (!/^[^\p{Cc}]{1,128}$/u.test(name)) {
    throw new LanpostError('invalid-value', 'a durable name has 1 to 128 characters and no control characters');
  }
}

function checkedBacklog(maxBacklog: NonNullable<SubscribeOptions['maxBacklog']>, durable: string | undefined): void {
  checkedObject('maxBacklog', maxBacklog);
  if (durable === undefined) throw new LanpostError('invalid-value', 'maxBacklog is for durable readers: give it a name with `durable`');
  for (const [name, value] of Object.entries(maxBacklog)) {
    if (!['records', 'bytes', 'age'].includes(name)) throw new LanpostError('invalid-value', `maxBacklog has records, bytes and age, and no ${name}`);
    whole(`maxBacklog.${name}`, value, name === 'age' ? LONGEST : Number.MAX_SAFE_INTEGER);
  }
}

function whole(name: string, value: number | undefined, most: number): void {
  if (value === undefined) return;
  checkedOptional(name, value, 'number');
  if (!Number.isInteger(value) || value < 0 || value > most) throw new LanpostError('invalid-value', `${name} must be a whole number from 0 to ${most}`);
}
