import type { RehearsalReport } from '../../api.ts';
import type { AtHome } from './at-home.ts';

export interface Counted {
  readonly home: string;
  readonly outage: number;
  readonly rate: number;
  /** Record ids of all that was accepted, in order. */
  readonly sent: readonly string[];
  readonly refused: number;
  readonly stored: number;
  readonly drained: number;
  readonly peakBytes: number;
  /** How long after the road was there again: the session, the end of the backlog; absent where that never came. */
  readonly reconnected: number | undefined;
  readonly emptied: number | undefined;
  readonly atHome: AtHome | undefined;
  /** What else went wrong. */
  readonly failures: readonly string[];
}

/** What came of it. Nothing is taken for granted: what could not be seen has not passed. */
export function reportOf({ home, outage, rate, sent, refused, stored, drained, peakBytes, reconnected, emptied, atHome, failures }: Counted): RehearsalReport {
  const keeps = atHome?.keeps;
  // What a node no longer keeps is the node's business: of that the home's word is all there is.
  const expected = keeps === undefined ? sent : sent.slice(-keeps);
  const lost = atHome ? expected.filter((id) => !atHome.counts.has(id)).length : sent.length;
  const doubled = atHome ? [...atHome.counts.values()].reduce((sum, count) => sum + count - 1, 0) : 0;
  const why = [
    ...failures,
    ...sent.length === 0 ? ['nothing was published'] : [],
    ...refused === 0 ? [] : [`${refused} were not accepted: the box has no room`],
    ...stored === sent.length ? [] : [`${sent.length - stored} of what was accepted are not in the log`],
    ...drained === sent.length ? [] : [`${sent.length - drained} did not go up`],
    ...lost === 0 || !atHome ? [] : [`${lost} are not at home`],
    ...doubled === 0 ? [] : [`${doubled} are there more than once`],
  ];
  return {
    home, outage, rate, passed: why.length === 0, sent: sent.length, stored, drained, lost, doubled, peakBytes, why,
    ...expected.length === sent.length ? {} : { kept: expected.length },
    ...reconnected === undefined ? {} : { reconnected: Math.round(reconnected) }, ...emptied === undefined ? {} : { emptied: Math.round(emptied) },
  };
}
