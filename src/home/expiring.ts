// What waited for longer than its rule allows is not sent any more. The ledger says so first; then it is done.
import type { RecordAges } from '../log/stamp-age.ts';
import type { Entry, Lane } from './lane.ts';
import { reasonOf } from './reason.ts';
import type { UplinkOptions } from './uplink-options.ts';

/** Until it is tried again, where the ledger could not be written; ms. */
const AGAIN = 60_000;

export class Expiring {
  readonly #options: UplinkOptions;
  readonly #ages: Pick<RecordAges, 'of'>;
  /** By topic, what is to be told together. */
  readonly #expired = new Map<Lane, Entry[]>();

  constructor(options: UplinkOptions, ages: Pick<RecordAges, 'of'>) {
    this.#options = options;
    this.#ages = ages;
  }

  isOver({ rule: { expire } }: Lane, { record }: Entry): boolean {
    // Time that cannot be trusted makes nothing old.
    return expire !== Infinity && (this.#ages.of(record) ?? 0) > expire;
  }

  /** It is not the sender's business any more. */
  add(lane: Lane, entry: Entry): void {
    const expired = this.#expired.get(lane);
    if (expired) expired.push(entry);
    else {
      this.#expired.set(lane, [entry]);
      setImmediate(() => this.#tell(lane));
    }
  }

  #tell(lane: Lane): void {
    const { log, trouble, jid, expired: instead } = this.#options;
    const expired = this.#expired.get(lane) ?? [];
    this.#expired.delete(lane);
    const [first, last] = [expired[0], expired.at(-1)];
    if (!first || !last) return;
    const loss = { reader: lane.main.name, topic: lane.topic, from: first.seq, to: last.seq, count: expired.length, reason: 'expired' } as const;
    const noted = instead ? Promise.resolve(instead(expired.map(({ recordId }) => recordId))) : log.noteLoss(loss);
    this.#told(noted, lane, expired).catch((error: unknown) => {
      for (const { seq } of expired) lane.cursor.again(seq, AGAIN);
      trouble({ kind: 'home.read', message: `what expired for ${jid} could not be written down: ${reasonOf(error)}` });
    });
  }

  async #told(noted: Promise<void>, lane: Lane, expired: readonly Entry[]): Promise<void> {
    await noted;
    for (const { seq } of expired) lane.cursor.done(seq, 'expired');
  }
}
