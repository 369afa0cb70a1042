import type { RehearsalReport } from '../../api.ts';
import type { AtHome } from './at-home.ts';

/** One topic of a rehearsal. */
export interface CountedTopic {
  /** Record ids of all that was accepted, in order. */
  readonly sent: readonly string[];
  /** At each home that it went to; undefined where it could not be seen. */
  readonly atHomes: readonly (AtHome | undefined)[];
}

export interface Counted {
  readonly home: string;
  readonly outage: number;
  readonly rate: number;
  readonly topics: readonly CountedTopic[];
  /** Record ids of what was not sent because it had waited for longer than its rule allows. */
  readonly expired: ReadonlySet<string>;
  /** For so long the byte budget let nothing go, ms. */
  readonly budgetWait: number;
  readonly refused: number;
  readonly stored: number;
  readonly drained: number;
  readonly peakBytes: number;
  /** How long after the road was there again: the session, the end of the backlog; absent where that never came. */
  readonly reconnected: number | undefined;
  readonly emptied: number | undefined;
  /** What else went wrong. */
  readonly failures: readonly string[];
}

/** What came of it. Nothing is taken for granted: what could not be seen has not passed. */
export function reportOf({ home, outage, rate, topics, expired, budgetWait, refused, stored, drained, peakBytes, reconnected, emptied, failures }: Counted): RehearsalReport {
  const sent = topics.reduce((sum, topic) => sum + topic.sent.length, 0);
  const each = topics.map(({ sent: ids, atHomes }) => {
    const due = ids.filter((id) => !expired.has(id));
    // What a node no longer keeps is the node's business: of that the home's word is all there is.
    const keeps = Math.min(...atHomes.map((one) => one?.keeps ?? Infinity));
    const expected = keeps < due.length ? due.slice(-keeps) : due;
    const seen = new Set(atHomes.flatMap((one) => [...one?.counts.keys() ?? []]));
    const unseen = atHomes.length === 0 || atHomes.includes(undefined);
    return {
      dropped: due.length - expected.length, unseen, lost: expected.filter((id) => !seen.has(id)).length,
      doubled: atHomes.flatMap((one) => [...one?.counts.values() ?? []]).reduce((sum, count) => sum + count - 1, 0),
      repeated: atHomes.reduce((sum, one) => sum + (one?.counts.size ?? 0), 0) - seen.size,
    };
  });
  const total = (what: 'dropped' | 'lost' | 'doubled' | 'repeated'): number => each.reduce((sum, one) => sum + one[what], 0);
  const [lost, doubled, due] = [total('lost'), total('doubled'), sent - expired.size];
  const why = [
    ...failures,
    ...sent === 0 ? ['nothing was published'] : [],
    ...refused === 0 ? [] : [`${refused} were not accepted: the box has no room`],
    ...stored === sent ? [] : [`${sent - stored} of what was accepted are not in the log`],
    ...drained === due ? [] : [`${due - drained} did not go up`],
    ...lost === 0 || each.some(({ unseen }) => unseen) ? [] : [`${lost} are not at home`],
    ...doubled === 0 ? [] : [`${doubled} are there more than once`],
  ];
  return {
    home, outage, rate, passed: why.length === 0, sent, stored, drained, lost, doubled, peakBytes, why,
    ...expired.size === 0 ? {} : { expired: expired.size },
    ...budgetWait === 0 ? {} : { budgetWait: Math.round(budgetWait) },
    ...total('repeated') === 0 ? {} : { repeated: total('repeated') },
    ...total('dropped') === 0 ? {} : { kept: due - total('dropped') },
    ...reconnected === undefined ? {} : { reconnected: Math.round(reconnected) }, ...emptied === undefined ? {} : { emptied: Math.round(emptied) },
  };
}
