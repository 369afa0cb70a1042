// PEER may be the address of a machine that is not seen: then it is found out whether anything passes at all.
import type { Finding } from '../../api.ts';
import { addressToBytes, canonicalAddress, inSubnet, isLinkLocal, withoutZone } from '../../mdns/address.ts';
import type { InterfaceInfo } from '../../mdns/network.ts';
import { USUAL_PORT } from '../peer-target.ts';
import type { Tcp } from '../tcp.ts';
import { listed, note, ok, problem } from './finding.ts';
import { AROUND } from './multicast.ts';
import type { Neighbour } from './machine.ts';
import { callPeer } from './peer-port.ts';
import type { Soundings } from './soundings.ts';

const CHECK = 'address';
const ALONE_TIME = 1_500;

export interface AddressParts {
  readonly interfaces: readonly InterfaceInfo[];
  readonly tcp: Tcp;
  readonly soundings: Pick<Soundings, 'answers'>;
  readonly neighbours: () => Promise<readonly Neighbour[]>;
  /** Whether that machine is heard by multicast. */
  readonly heard: () => Promise<boolean>;
}

/** What came back from there. */
export interface AddressFacts {
  readonly address: string;
  readonly interface: string;
  /** It answers discovery when it is asked alone. */
  readonly alone: boolean;
  readonly call: string;
  /** The link knows its hardware address; not known of IPv6. */
  readonly there: boolean | undefined;
  readonly heard: boolean;
}

/** The interface on whose link the address is; undefined when it is on none. */
export function linkOf(address: string, interfaces: readonly InterfaceInfo[]): InterfaceInfo | undefined {
  const bytes = addressToBytes(address);
  const zone = address.split('%')[1];
  if (!bytes) return undefined;
  return interfaces.find((iface) => (zone === undefined || iface.name === zone) && iface.addresses.some((own) => {
    const mine = addressToBytes(own.address);
    return mine !== undefined && mine.length === bytes.length && (inSubnet(bytes, mine, own.prefix) || (bytes.length === 16 && isLinkLocal(bytes)));
  }));
}

export function isOwn(address: string, interfaces: readonly InterfaceInfo[]): boolean {
  return interfaces.some(({ addresses }) => addresses.some((own) => canonicalAddress(withoutZone(own.address)) === canonicalAddress(withoutZone(address))));
}

/** Gives whether that machine was found. */
export async function examineAddress(parts: AddressParts, address: string, emit: (findings: readonly Finding[]) => void): Promise<boolean> {
  const { interfaces } = parts;
  const where = { peer: address };
  if (isOwn(address, interfaces)) {
    emit([note(CHECK, 'unknown-peer', { ...where, message: `${address} is this machine itself.`, evidence: [], advice: 'Name the address of the other one.' })]);
    return false;
  }
  const iface = linkOf(address, interfaces);
  if (!iface) {
    const own = interfaces.flatMap(({ addresses }) => addresses.map((one) => `${one.address}/${one.prefix}`));
    emit([problem(CHECK, 'other-subnet', {
      ...where,
      message: `${address} is not in the network of this machine, and discovery does not go beyond that.`,
      evidence: [`this machine: ${own.length > 0 ? listed(own) : 'no address'}`],
      advice: 'Put both machines into one network (the same router, VLAN and Wi-Fi, no guest network), with the same netmask.',
    })]);
    return false;
  }
  const plain = withoutZone(address);
  const scoped = plain.includes(':') && isLocal(plain) ? `${plain}%${iface.name}` : plain;
  const [alone, [call]] = await Promise.all([
    parts.soundings.answers(iface.name, plain, [], ALONE_TIME),
    callPeer(parts.tcp, [{ address: scoped, family: plain.includes(':') ? 6 : 4, interface: iface.name }], USUAL_PORT),
  ]);
  call?.socket?.destroy();
  const there = plain.includes(':') ? undefined : (await parts.neighbours()).some((one) => one.address === plain);
  const found = alone || call?.outcome === 'open' || call?.outcome === 'ECONNREFUSED' || there === true;
  emit(checkAddress({ address, interface: iface.name, alone, call: call?.outcome ?? 'silent', there, heard: found && await parts.heard() }));
  return found;
}

export function checkAddress({ address, interface: iface, alone, call, there, heard }: AddressFacts): Finding[] {
  const evidence = [
    alone ? 'asked alone, it answers discovery' : 'asked alone, it does not answer discovery',
    `TCP port ${USUAL_PORT}: ${call === 'open' ? 'taken' : call === 'ECONNREFUSED' ? 'refused' : 'no answer'}`,
    ...there === undefined ? [] : [there ? 'the link knows the hardware that has this address' : 'nobody on the link says to have this address'],
    ...heard ? ['it is heard by multicast'] : [],
  ];
  const where = { peer: address, interface: iface };
  if (heard) return [ok(CHECK, `${address} is there, and is heard on ${iface}; if no peer is seen there, its box is not running or does not use that network.`, evidence, where)];
  if (alone || call === 'open') {
    return [problem(CHECK, 'multicast-filtered', {
      ...where, evidence,
      message: `${address} is there and answers when it is spoken to alone, but nothing that is said to all passes between it and this machine.`,
      advice: 'Look for what filters multicast in between: a switch with IGMP or MLD snooping and no querier (switch it off, or a querier on), an access point with a multicast filter, or the firewall of either machine (UDP port 5353). '
        + `Run \`lanpost doctor\` there too. ${AROUND}`,
    })];
  }
  if (call === 'ECONNREFUSED') {
    return [problem(CHECK, 'port-refused', {
      ...where, evidence,
      message: `The machine at ${address} is there, so the network does not keep it apart; but neither discovery nor a box answers there.`,
      advice: 'See that lanpost runs on it (`lanpost status`), and that its firewall lets UDP port 5353 and TCP port 5298 in from the local network.',
    })];
  }
  if (there === true) {
    return [problem(CHECK, 'port-filtered', {
      ...where, evidence,
      message: `The machine at ${address} is there, so the network does not keep it apart; but it drops whatever it is sent.`,
      advice: 'Look at its firewall: let UDP port 5353 and TCP port 5298 in from the local network; and see that lanpost runs on it.',
    })];
  }
  return [problem(CHECK, 'no-way', {
    ...where, evidence,
    message: `Nothing comes back from ${address}: that machine is off or has another address, or the network keeps the two apart.`,
    advice: 'See that the machine is on and has that address (`ip address` there). If so, switch off what keeps machines apart in the access point or switch ("client isolation", "AP isolation", "isolated port", "guest network"), or put both into one VLAN.',
  })];
}

function isLocal(address: string): boolean {
  const bytes = addressToBytes(address);
  return bytes !== undefined && isLinkLocal(bytes);
}
