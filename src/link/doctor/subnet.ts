import type { Finding } from '../../api.ts';
import type { InterfaceInfo } from '../../mdns/network.ts';
import type { LinkState } from '../../mdns/state.ts';
import { isOwn } from './examine-address.ts';
import { listed, ok, problem } from './finding.ts';
import type { Sounded } from './soundings.ts';

const CHECK = 'subnet';
/** Who has just changed its network says a word or two with its old address. */
const STRAYED = 3;

export interface SubnetFacts {
  readonly interfaces: readonly InterfaceInfo[];
  readonly sounded: readonly Sounded[];
  readonly states: readonly LinkState[];
}

/** RFC 6762 §11: who is heard, but has an address of another network, is not listened to. */
export function checkSubnet({ interfaces, sounded, states }: SubnetFacts): Finding[] {
  const now = sounded.flatMap(({ hosts }) => hosts.filter(({ onLink }) => !onLink).map(({ address }) => address));
  const before = states.flatMap(({ strayed }) => (strayed.packets >= STRAYED ? strayed.from ?? [] : []));
  // An interface that has just come is not known as this machine's own everywhere.
  const strangers = [...new Set([...now, ...before])].filter((address) => !isOwn(address, interfaces));
  const own = interfaces.flatMap(({ name, addresses }) => addresses.filter(({ family }) => family === 4).map(({ address, prefix }) => `${address}/${prefix} on ${name}`));
  if (strangers.length === 0) return interfaces.length === 0 ? [] : [ok(CHECK, 'Whoever is heard has an address of the same network.', own)];
  const [only] = interfaces;
  return [problem(CHECK, 'other-subnet', {
    message: `${listed(strangers)} can be heard, but ${strangers.length > 1 ? 'have addresses' : 'has an address'} of another network than this machine, so neither sees the other.`,
    evidence: [
      `heard: ${listed(strangers)}`, `this machine: ${listed(own)}`,
      ...now.length === 0 ? ['not heard while the doctor listened, but since the box joined this network: start it again to forget'] : [],
    ],
    advice: 'Compare address and netmask of both machines (`ip address`): the part that the netmask covers must be the same. Let both get their address from the same router, or correct the one that was set by hand.',
    ...(only && interfaces.length === 1 ? { interface: only.name } : {}),
  })];
}
