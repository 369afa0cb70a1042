// Peers where no multicast reaches, which this box calls because its owner, or a domain, says where they are.
import { lookup } from 'node:dns/promises';
import type { Finding, OffLinkPeer } from '../../api.ts';
import type { Clock } from '../../clock.ts';
import { parseTarget } from '../peer-target.ts';
import type { Tcp } from '../tcp.ts';
import { listed, ok, problem } from './finding.ts';
import { pause } from '../pause.ts';
import { type Call, callPeer, OUTCOMES } from './peer-port.ts';

const CHECK = 'far-peer';
/** What a call to one may take that is under way, and how often it is looked at meanwhile, in ms. */
const CALL_TIME = 2_000;
const LOOK_AGAIN = 100;

export interface FarFacts {
  readonly entry: OffLinkPeer;
  /** Why its name has no address. */
  readonly nameless?: string;
  readonly calls: readonly Call[];
}

/** Whether PEER means that one: as it was named, by its host alone, or by the name it has shown. */
export function isMeant({ peer, name, domain }: OffLinkPeer, asked: string): boolean {
  return asked === peer || asked === name || (domain === undefined && asked === parseTarget(peer).host);
}

/** Two that call each other at once give one call up: who is being called, or is again in a moment, has that moment. */
export async function awaitCalls(far: () => readonly OffLinkPeer[], asked: string | undefined, clock: Clock, signal: AbortSignal): Promise<void> {
  const until = clock.mono() + CALL_TIME;
  const comes = ({ state, nextAttempt }: OffLinkPeer): boolean => state === 'calling' || (state === 'waiting' && nextAttempt !== undefined && nextAttempt - clock.wall() < until - clock.mono());
  while (clock.mono() < until && !signal.aborted && far().some((entry) => (asked === undefined || isMeant(entry, asked)) && comes(entry))) await pause(clock, LOOK_AGAIN, signal);
}

export async function examineFarPeer(entry: OffLinkPeer, tcp: Tcp): Promise<Finding[]> {
  if (entry.state === 'open' || entry.domain !== undefined) return checkFarPeer({ entry, calls: [] });
  const { host, port } = parseTarget(entry.peer);
  try {
    const addresses = (await lookup(host, { all: true })).map(({ address, family }) => ({ address, family: family === 6 ? 6 : 4, interface: '' }) as const);
    const calls = await callPeer(tcp, addresses, port);
    for (const { socket } of calls) socket?.destroy();
    return checkFarPeer({ entry, calls });
  } catch (error) {
    return checkFarPeer({ entry, calls: [], nameless: error instanceof Error ? error.message : String(error) });
  }
}

export function checkFarPeer({ entry, nameless, calls }: FarFacts): Finding[] {
  const { peer, state, name, reason } = entry;
  const where = { peer: name ?? peer };
  if (state === 'open') return [ok(CHECK, `${peer} is reached, as ${name ?? 'somebody without a name'}.`, [], where)];
  const evidence = [
    ...calls.map(({ address, outcome }) => `${address.address}: ${OUTCOMES[outcome] ?? outcome}`),
    ...reason === undefined ? [] : [`the last call: ${reason}`],
  ];
  const some = (...codes: string[]): boolean => calls.some(({ outcome }) => codes.includes(outcome));
  if (nameless !== undefined) {
    return [problem(CHECK, 'no-address', { ...where, message: `${peer} cannot be called: its name has no address.`, evidence: [nameless, ...evidence], advice: 'See that the name is right, and that this machine has a name server (`getent hosts NAME`).' })];
  }
  if (some('open') || calls.length === 0) {
    return [problem(CHECK, 'no-stream', {
      ...where, message: `${peer} is called again and again, but no stream comes about.`, evidence: evidence.length > 0 ? evidence : ['it has not been reached yet'],
      advice: 'The other box has to admit calls from this network (`lanpost start --accept NETWORK` there, or `--peer` with the address of this machine), and each must show the key that the other knows. '
        + 'See `lanpost peers` here and the troubles in `lanpost status` there.',
    })];
  }
  if (some('ECONNREFUSED')) {
    return [problem(CHECK, 'port-refused', {
      ...where, message: `The machine of ${peer} refuses the call: no box listens there, or its firewall refuses.`, evidence,
      advice: 'See that lanpost runs there (`lanpost status`) and on which port and interface it listens; let that TCP port in.',
    })];
  }
  if (some('EPERM', 'EACCES')) {
    return [problem(CHECK, 'port-filtered', { ...where, message: `This machine itself does not let calls to ${peer} out.`, evidence, advice: 'Look at this machine\'s firewall (`nft list ruleset`, `ufw status`).' })];
  }
  return [problem(CHECK, 'peer-silent', {
    ...where, message: `Nothing comes back from ${peer}: it is off, or a router or firewall on the way does not pass the call on.`, evidence,
    advice: `See that ${listed([peer])} is on, that the way there is open (\`ping\`, a VPN that must be up), and that firewalls in between and there let the TCP port through.`,
  })];
}
