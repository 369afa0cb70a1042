import type { Finding } from '../../api.ts';
import type { InterfaceInfo } from '../../mdns/network.ts';
import type { DialableAddress } from '../dialable.ts';
import type { KnownPeer } from '../peers.ts';
import { listed, note, ok, problem } from './finding.ts';

const CHECK = 'peer-address';

/** Does the peer announce an address that this machine can use? */
export function checkPeerAddress(peer: KnownPeer, usable: readonly DialableAddress[], interfaces: readonly InterfaceInfo[]): Finding[] {
  const announced = peer.addresses.map(({ address }) => address);
  const own = interfaces.flatMap(({ addresses }) => addresses.map(({ address, prefix }) => `${address}/${prefix}`));
  const where = { peer: peer.name };
  if (usable.length === 0) {
    return [problem(CHECK, 'no-address', {
      ...where,
      message: `${peer.name} is announced, but at no address that is on the network of this machine.`,
      evidence: [`it announces ${announced.length > 0 ? listed(announced) : 'no address'}`, `this machine: ${listed(own)}`],
      advice: 'Compare address and netmask of both machines (`ip address`); if the other has several networks, let its box use the common one, `lanpost start --interface IF`.',
    })];
  }
  const [first] = usable;
  const evidence = [`${listed(usable.map(({ address }) => address))}, port ${peer.port}, host ${peer.host}`];
  const haveFour = interfaces.some(({ name, addresses }) => name === first?.interface && addresses.some(({ family }) => family === 4));
  if (haveFour && usable.every(({ family }) => family === 6)) {
    return [note(CHECK, 'ipv6-only', {
      ...where, evidence: [...evidence, `this machine: ${listed(own)}`],
      message: `${peer.name} can be reached over IPv6 only: it has no IPv4 address on the network of this machine.`,
      advice: 'Boxes do without IPv4; Pidgin and its like do not. If the other machine has an IPv4 address, compare the netmasks.',
    })];
  }
  return [ok(CHECK, `${peer.name} is announced with an address on this network.`, evidence, where)];
}
