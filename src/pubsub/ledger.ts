import { encodeJson } from '../payload/json.ts';
import type { Log } from '../log/log.ts';
import type { Loss, LossLedger } from '../log/loss.ts';
import { readerName } from './reader-name.ts';

/** The topic of what readers lost: read and subscribed to by the owner like any other. */
export const LEDGER = '$ledger';
/** Losses that can still be asked for. */
const LINES = 1000;

/** One line for each loss; as a loss goes on, its line is replaced by one that says more. */
export const lossLedger: LossLedger = {
  topic: LEDGER,
  settings: { lane: 'latest', maxItems: LINES },
  draft: (loss) => ({
    topic: LEDGER,
    kind: 'publish',
    id: lineId(loss),
    payload: { contentType: 'application/json', bytes: encodeJson({ ...said(loss) }) },
  }),
};

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
