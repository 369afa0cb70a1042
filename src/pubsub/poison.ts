import type { Poison, Trouble } from '../api.ts';
import type { Clock } from '../clock.ts';
import { LanpostError } from '../errors.ts';
import type { Cursor } from '../log/cursor.ts';
import type { Aside } from '../log/log.ts';
import { isWanted } from '../log/asides.ts';
import type { LogRecord } from '../log/record.ts';
import { Seldom } from '../seldom.ts';
import { toDelivery } from './delivery.ts';

const MINUTE = 60_000;

/** Puts aside what was handed out too often, so that it stands in nobody's way. */
export class Poisons {
  readonly #clock: Clock;
  readonly #trouble: (trouble: Trouble) => void;
  readonly #seldom: Seldom;

  constructor(clock: Clock, trouble: (trouble: Trouble) => void) {
    this.#clock = clock;
    this.#trouble = trouble;
    this.#seldom = new Seldom(clock, trouble, MINUTE);
  }

  /** False when it cannot be now: it stays with its reader. */
  async putAside(cursor: Cursor, { seq, recordId, topic }: LogRecord, deliveries: number): Promise<boolean> {
    const reason = `handed out ${deliveries === 1 ? 'once' : `${deliveries} times`} and never confirmed`;
    try {
      await cursor.putAside(seq, { recordId, reason, deliveries, at: this.#clock.wall() });
    } catch (error) {
      if (!(error instanceof LanpostError)) throw error;
      if (error.code === 'busy') this.#seldom.tell({ kind: 'pubsub.poison-full', message: `${recordId} of ${topic} was ${reason}, but ${cursor.name} has put aside all it may: look through that with \`lanpost poison list\``, code: 'busy' });
      return false;
    }
    this.#trouble({ kind: 'pubsub.poison', message: `${recordId} of ${topic} was put aside for ${cursor.name}: ${reason}` });
    return true;
  }
}

/** Nothing for a record that its reader gets once more. */
export function poisonOf({ record, note }: Aside): Poison | undefined {
  if (isWanted(note)) return undefined;
  const known: { readonly reason?: unknown; readonly deliveries?: unknown; readonly at?: unknown } = typeof note === 'object' && note !== null ? note : {};
  return {
    delivery: toDelivery(record, true),
    since: typeof known.at === 'number' ? known.at : 0,
    reason: typeof known.reason === 'string' ? known.reason : '',
    ...(typeof known.deliveries === 'number' ? { deliveries: known.deliveries } : {}),
  };
}
