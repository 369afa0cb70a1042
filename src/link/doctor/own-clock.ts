import type { Finding } from '../../api.ts';
import type { Clock } from '../../clock.ts';
import { ok, problem } from './finding.ts';

const CHECK = 'clock';

/** A clock that was never set makes every time wrong that is told to others. */
export function checkOwnClock(clock: Pick<Clock, 'isSet' | 'wall'>): Finding[] {
  const now = new Date(clock.wall()).toISOString();
  if (clock.isSet()) return [ok(CHECK, 'The clock of this machine has been set.', [`it reads ${now}`])];
  return [problem(CHECK, 'clock-unset', {
    message: 'The clock of this machine has not been set: the times it puts on items and messages are wrong, and it lets nothing expire by them.',
    evidence: [`it reads ${now}, which is before this program was made`],
    advice: 'Set it with `timedatectl set-ntp true` where there is a time server, or by hand with `date -s`; a machine without a battery for its clock needs this at every start.',
  })];
}
