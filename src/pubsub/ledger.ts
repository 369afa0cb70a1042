import { encodeJson } from '../payload/json.ts';
import type { Log } from '../log/log.ts';
import type { Loss, LossLedger } from '../log/loss.ts';
import type { Draft } from '../log/record.ts';
import { readerName } from './reader-name.ts';

/** The topic of what readers lost: read and subscribed to by the owner like any other. */
export const LEDGER = '$ledger';
/** Losses that can still be asked for. */
const LINES = 1000;

/** Readers whose holes are remembered. */
const GROWING = 10_000;
/** What one line says of all of them. */
const STRANGERS = 'peers that are not paired';

/** One line for each loss; as a loss goes on, its line is replaced by one that says more. */
export function lossLedger(): LossLedger {
  const strangers = new Strangers();
  return {
    topic: LEDGER,
    settings: { lane: 'latest', maxItems: LINES },
    drafts(losses) {
      const lines = losses.filter((loss) => !isOfStranger(loss)).map((loss) => draftOf(lineId(loss), said(loss)));
      const others = losses.filter(isOfStranger);
      for (const loss of others) strangers.lost(loss);
      return others.length === 0 ? lines : [...lines, draftOf(STRANGERS, strangers.line)];
    },
  };
}

/** Only for keys that nobody vouched for there is a bound to what waits for a peer (see `PlaceBounds`). */
function isOfStranger({ reader, reason }: Loss): boolean {
  return (reason === 'overflow' || reason === 'expired') && reader !== undefined && /^(?:peer|sub):[0-9a-f]{64}:/.test(reader);
}

/** Thousands may come, lose what waited for them, and leave no room for lines about anybody else: one line for all, since the box has started. */
class Strangers {
  /** By reader, the hole that may still grow: it is told as a whole each time. */
  readonly #growing = new Map<string, Pick<Loss, 'from' | 'count'>>();
  #line: Record<string, string | number> = {};
  #count = 0;
  #from = Infinity;

  get line(): Record<string, string | number> { return this.#line; }

  lost({ reader = '', from, to, count = 0, reason }: Loss): void {
    const before = this.#growing.get(reader);
    this.#count += count - (before?.from === from ? before.count ?? 0 : 0);
    this.#from = Math.min(this.#from, from);
    if (this.#growing.size >= GROWING) this.#growing.clear();
    this.#growing.set(reader, { from, count });
    this.#line = { subscription: STRANGERS, topic: '#', from: this.#from, to, count: this.#count, reason };
  }
}

function draftOf(id: string, line: Record<string, string | number>): Draft {
  return { topic: LEDGER, kind: 'publish', id, payload: { contentType: 'application/json', bytes: encodeJson(line) } };
}

function lineId({ reader = '', topic, from }: Loss): string {
  const id = `${from} ${reader} ${topic}`.replaceAll(/\p{Cc}/gu, ' ');
  return Buffer.byteLength(id) <= 512 ? id : `${from} ${reader}`.slice(0, 160);
}

function said({ reader, topic, from, to, count, reason }: Loss): Record<string, string | number> {
  return {
    ...(reader !== undefined && { subscription: readerName(reader) }),
    topic, from, to, ...(count !== undefined && { count }), reason,
  };
}

/** How often readers lost something: lines ever written, the one that opens the topic left out. */
export function lossesIn(log: Log): number {
  return Math.max(0, (log.topic(LEDGER)?.ordinal ?? 0) - 1);
}
