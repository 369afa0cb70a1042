import type { Finding } from '../../api.ts';
import { note, ok, problem } from './finding.ts';

const CHECK = 'peer-clock';
/** What a person would call a wrong clock; up to a second or so is what the asking takes. */
const WRONG = 60_000;
const OFF = 5_000;

/** How far the peer's clock is ahead (negative: behind), in ms. `trusted`: the clock of this machine has been set. */
export function checkPeerClock(peer: string, theirs: number, ours: number, trusted: boolean): Finding[] {
  const skew = theirs - ours;
  const evidence = [`there ${new Date(theirs).toISOString()}`, `here ${new Date(ours).toISOString()}`];
  const where = { peer };
  if (Math.abs(skew) < OFF) return [ok(CHECK, `The clocks of ${peer} and this machine agree.`, evidence, where)];
  const said = {
    ...where, evidence,
    message: `The clock of ${peer} is ${span(Math.abs(skew))} ${skew > 0 ? 'ahead of' : 'behind'} the one of this machine; times of items and messages are wrong on one side.`,
    advice: 'Compare both with a clock you trust, and set the wrong one: `timedatectl set-ntp true` where there is a time server, or `date -s`.',
  };
  // Whose clock was never set is told already.
  return [Math.abs(skew) < WRONG || !trusted ? note(CHECK, 'clock-skew', said) : problem(CHECK, 'clock-skew', said)];
}

function span(ms: number): string {
  const units = [['day', 86_400_000], ['hour', 3_600_000], ['minute', 60_000], ['second', 1_000]] as const;
  const [unit, size] = units.find(([, least]) => ms >= 2 * least) ?? ['second', 1_000];
  return `${Math.round(ms / size)} ${unit}s`;
}
