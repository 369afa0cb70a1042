import type { Finding } from '../../api.ts';
import type { KnownPeer } from '../peers.ts';
import type { Greeting } from './greeting.ts';
import { note, ok, problem } from './finding.ts';
import { shellWord } from './shell-word.ts';

const CHECK = 'peer-answers';

/** Does the peer answer a call, and does it see this box? `known`: it is told already that multicast does not reach others. */
export function checkPeerGreeting(peer: KnownPeer, self: string, greeting: Greeting, known: boolean): Finding[] {
  const where = { peer: peer.name };
  if (greeting.answered) return [ok(CHECK, `${peer.name} answers calls, and sees this box.`, [`answered in ${greeting.ms} ms`], where)];
  // RFC 6120 §4.9.3.12: so a box turns away whom it has not heard announced; a firewall or a full house just hangs up.
  if (greeting.refused === 'not-authorized') {
    const said = {
      ...where,
      message: `${peer.name} turns this box away, because it does not see it: it has never heard ${self} announce itself.`,
      evidence: [`it was called as ${self}, and ended the call: ${greeting.refused}`],
      advice: `Multicast from here does not reach it. Run \`lanpost doctor ${shellWord(self)}\` on that machine; look at its firewall (UDP port 5353 must get in) and at multicast filters in between.`,
    };
    return [known ? note(CHECK, 'not-seen-by-peer', said) : problem(CHECK, 'not-seen-by-peer', said)];
  }
  if (greeting.refused !== undefined) {
    return [problem(CHECK, 'no-stream', {
      ...where,
      message: `${peer.name} takes the call and ends it at once: it has too many already, or takes this machine for one of another network.`,
      evidence: [`it ended the call after ${greeting.ms} ms: ${greeting.refused}`],
      advice: 'Compare the netmasks of both machines (`ip address`), and look at the troubles in `lanpost status` there.',
    })];
  }
  return [problem(CHECK, 'no-stream', {
    ...where,
    message: `${peer.name} takes the call, but says nothing: its program hangs, or something else listens there.`,
    evidence: [`no word within ${Math.round(greeting.ms / 1_000)} s`],
    advice: 'Look at lanpost on the other machine (`lanpost status`); start it again if it does not answer there either.',
  })];
}
