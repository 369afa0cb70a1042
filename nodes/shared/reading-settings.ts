import type { From, SubscribeOptions, SubscriptionInfo } from '../../src/index.ts';
import type { LastOf } from './last-values.ts';
import type { PayloadForm } from './payload-form.ts';

/** Items handed to the flow before the rest of the process has a turn. */
export const TURN = 64;

export interface ReadingSettings {
  readonly filter: string;
  /** The peer at which it reads. */
  readonly at?: string;
  /** What messages and lists call the reader; when it is `durable`, the box keeps its place under that name. */
  readonly subscription: string;
  readonly durable: boolean;
  readonly from: From;
  readonly last: LastOf;
  /** The flow confirms, by `lanpost ack`. */
  readonly manual: boolean;
  readonly inFlight: number;
  /** Milliseconds for that; 0: any time. */
  readonly ackWait: number;
  /** Items a second at most; 0: as many as come. */
  readonly rate: number;
  /** Whether that holds for all, or for what was there before. */
  readonly rateOf: 'backlog' | 'all';
  readonly form: PayloadForm;
  /** Also retractions, purges, … and gaps. */
  readonly changes: boolean;
}

/** How its box is asked. `before`: what is above that comes by itself, and nothing else does of one that begins now and has last values. */
export function subscribeOptions({ at, subscription, durable, from, last, manual, inFlight, ackWait }: ReadingSettings, before: number, signal: AbortSignal): SubscribeOptions {
  return {
    signal, from: from === 'new' && last !== 'none' && !durable && at === undefined ? { seq: before + 1 } : from, ack: 'manual', inFlight: manual ? inFlight : TURN,
    ...(at === undefined ? {} : { at }),
    ...(durable ? { durable: subscription } : {}),
    ...(manual && ackWait > 0 ? { ackWait } : {}),
  };
}

/** Whether it is the line of that reader in the box's list. One at a peer goes by its key, too; one there that is live by what it reads. */
export function isReaderOf(line: SubscriptionInfo, { subscription, at, durable, filter }: Pick<ReadingSettings, 'subscription' | 'at' | 'durable' | 'filter'>): boolean {
  const { name, source } = line;
  if (line.reader !== 'local' || line.durable !== durable) return false;
  if (at === undefined) return name === subscription;
  // A peer that goes by another name now is still the one that was asked.
  if (source === undefined || ![source.peer, source.askedAs].includes(at.replace(/^link:/, ''))) return false;
  return durable ? name === `${subscription} at ${source.fingerprint.slice(0, 16)}` : line.filter.replace(/^\$at\/[^/]+\//, '') === filter;
}
