import { encodeJson } from '../payload/json.ts';
import type { Log } from '../log/log.ts';
import { type Loss, type LossLedger, lossesOf } from '../log/loss.ts';
import { hasWildcard } from '../log/filter.ts';
import { LostTally, type LostTopics } from '../log/lost-topics.ts';
import type { Draft } from '../log/record.ts';
import { readerName } from './reader-name.ts';

/** The topic of what readers lost: read and subscribed to by the owner like any other. */
export const LEDGER = '$ledger';
/** Losses that can still be asked for. */
const LINES = 1000;

/** Holes that are remembered, of one topic of one reader each. */
const GROWING = 10_000;
/** Whose the lines are that tell of all of them. */
const STRANGERS = 'peers that are not paired';

/** One line for each topic of a loss; as it goes on, the line is replaced by one that says more. */
export function lossLedger(): LossLedger {
  const strangers = new Strangers();
  return {
    topic: LEDGER,
    settings: { lane: 'latest', maxItems: LINES },
    drafts(losses) {
      const lines = losses.filter((loss) => !isOfStranger(loss)).map((loss) => draftOf(lineId(loss), said(loss)));
      const others = losses.filter(isOfStranger);
      return others.length === 0 ? lines : [...lines, ...strangers.lost(others)];
    },
  };
}

/** Only for keys that nobody vouched for there is a bound to what waits for a peer (see `PlaceBounds`); of what else they lose, whoever feeds them says it. */
function isOfStranger({ reader, reason, pooled }: Loss): boolean {
  return pooled === true || (reason === 'overflow' || reason === 'expired') && reader !== undefined && /^(?:peer|sub):[0-9a-f]{64}:/.test(reader);
}

/** Thousands may come, lose what waited for them, and leave no room for lines about anybody else: lines for all together, since the box has started. */
class Strangers {
  /** By reader and topic, the hole that may still grow: it is told as a whole each time. */
  readonly #growing = new Map<string, Pick<Loss, 'from' | 'count'>>();
  #found: LostTopics = {};

  /** The lines that are others now. */
  lost(losses: readonly Loss[]): Draft[] {
    const tally = new LostTally(this.#found);
    for (const loss of losses) this.#add(tally, loss);
    this.#found = tally.found;
    const reason = losses.at(-1)?.reason ?? 'overflow';
    return Array.from(lossesOf(tally.grown, '#', this.#found.topics?.length ?? 0, { reader: STRANGERS, reason }), (loss) => draftOf(`${STRANGERS} ${loss.topic}`, said(loss)));
  }

  #add(tally: LostTally, { reader = '', topic, from, to, count = 0 }: Loss): void {
    const key = `${reader} ${topic}`;
    const before = this.#growing.get(key);
    if (this.#growing.size >= GROWING) this.#growing.clear();
    this.#growing.set(key, { from, count });
    // Not of one topic, but of all that a filter matches.
    const name = hasWildcard(topic) ? undefined : topic;
    tally.add(name, from, to, count - (before?.from === from ? before.count ?? 0 : 0));
  }
}

function draftOf(id: string, line: Record<string, string | number>): Draft {
  return { topic: LEDGER, kind: 'publish', id, payload: { contentType: 'application/json', bytes: encodeJson(line) } };
}

function lineId({ reader = '', topic, from }: Loss): string {
  const id = `${from} ${reader} ${topic}`.replaceAll(/\p{Cc}/gu, ' ');
  return Buffer.byteLength(id) <= 512 ? id : `${from} ${reader}`.slice(0, 160);
}

function said({ reader, topic, besides, from, to, count, reason }: Loss): Record<string, string | number> {
  return {
    ...(reader !== undefined && { subscription: readerName(reader) }),
    topic, ...(besides !== undefined && { besides }), from, to, ...(count !== undefined && { count }), reason,
  };
}

/** How often readers lost something: lines ever written, the one that opens the topic left out. */
export function lossesIn(log: Log): number {
  return Math.max(0, (log.topic(LEDGER)?.ordinal ?? 0) - 1);
}
