import type { Socket } from 'node:net';
import type { Finding } from '../../api.ts';
import type { DialableAddress } from '../dialable.ts';
import type { KnownPeer } from '../peers.ts';
import type { Tcp } from '../tcp.ts';
import { listed, ok, problem } from './finding.ts';

const CHECK = 'peer-port';
const CONNECT_TIME = 2_000;
/** Addresses that are tried, at once. */
const MAX_ADDRESSES = 6;

/** What became of a call: `open`, or the system's error code; `silent` when nothing came back. */
export interface Call { readonly address: DialableAddress; readonly outcome: string; readonly socket?: Socket }

/** Calls the peer at all its addresses. The sockets that come about are the caller's to close. */
export function callPeer(tcp: Tcp, addresses: readonly DialableAddress[], port: number): Promise<Call[]> {
  return Promise.all(addresses.slice(0, MAX_ADDRESSES).map(async (address): Promise<Call> => {
    try {
      const socket = await tcp.connect(address.address, port, CONNECT_TIME);
      socket.on('error', () => undefined); // it was only tried
      return { address, outcome: 'open', socket };
    } catch (error) {
      return { address, outcome: codeOf(error) };
    }
  }));
}

export interface PortFacts {
  readonly peer: KnownPeer;
  readonly calls: readonly Call[];
  /** Its addresses that answer discovery when they are asked alone. */
  readonly alive: readonly string[];
  /** A stream to it is open, whoever called, and it answers there. */
  readonly connected: boolean;
}

export function checkPeerPort({ peer, calls, alive, connected }: PortFacts): Finding[] {
  const { name, port } = peer;
  const where = { peer: name };
  const outcomes = calls.map(({ address, outcome }) => `${address.address} port ${port}: ${OUTCOMES[outcome] ?? outcome}`);
  const evidence = [
    ...outcomes,
    alive.length > 0 ? `asked alone, ${listed(alive)} ${alive.length > 1 ? 'answer' : 'answers'} discovery` : 'asked alone, it does not answer discovery',
    ...connected ? ['over a stream that is open already it answers all the same'] : [],
  ];
  const some = (...codes: string[]): boolean => calls.some(({ outcome }) => codes.includes(outcome));
  if (some('open')) return [ok(CHECK, `${name} takes calls on TCP port ${port}.`, outcomes, where)];
  if (some('ECONNREFUSED')) {
    return [problem(CHECK, 'port-refused', {
      ...where, evidence,
      message: alive.length > 0 ? `The machine of ${name} is there, but refuses calls on TCP port ${port}.`
        : `The machine of ${name} is there, but nothing listens on its TCP port ${port}: its program has probably ended without saying goodbye.`,
      advice: `On that machine see that lanpost runs (\`lanpost status\`) and start it if not; if it runs, its firewall refuses the port: let TCP port ${port} in from the local network.`,
    })];
  }
  if (some('EPERM', 'EACCES')) {
    return [problem(CHECK, 'port-filtered', {
      ...where, evidence,
      message: `This machine itself does not let calls to ${name} out.`,
      advice: `Look at this machine's firewall (\`nft list ruleset\`, \`ufw status\`): let TCP to port ${port} out to the local network.`,
    })];
  }
  if (alive.length > 0 || connected) {
    return [problem(CHECK, 'port-filtered', {
      ...where, evidence,
      message: `The machine of ${name} is there, but calls to its TCP port ${port} vanish: a firewall drops them.`,
      advice: `Look at the firewall of the other machine (\`nft list ruleset\`, \`ufw status\`): let TCP port ${port} in from the local network. Until then it can call this box, but not the other way round.`,
    })];
  }
  return [problem(CHECK, 'peer-silent', {
    ...where, evidence,
    message: `${name} does not answer at all: its machine is off, asleep or unplugged, its firewall drops everything, or the network no longer passes packets to it.`,
    advice: 'See whether the other machine is on and connected, and what its firewall lets in (UDP port 5353, and the TCP port). Its entry goes away by itself, at the latest two minutes after it was last heard.',
  })];
}

/** What became of a call, in words. */
export const OUTCOMES: Readonly<Record<string, string>> = {
  open: 'taken', silent: 'no answer within 2 s', ECONNREFUSED: 'refused', EHOSTUNREACH: 'no such machine on the link', ENETUNREACH: 'no way there',
  ECONNRESET: 'broken off', EPERM: 'not permitted by this machine', EACCES: 'not permitted by this machine', ETIMEDOUT: 'no answer',
};

function codeOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  return cause instanceof Error && 'code' in cause && typeof cause.code === 'string' ? cause.code : 'silent';
}
