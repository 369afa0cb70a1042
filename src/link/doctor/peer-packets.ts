import type { Finding } from '../../api.ts';
import type { Asked } from '../../mdns/question.ts';
import type { DialableAddress } from '../dialable.ts';
import type { KnownPeer } from '../peers.ts';
import type { Greeting } from './greeting.ts';
import { listed, ok, problem } from './finding.ts';

const CHECK = 'peer-packets';
/** What is tried beside the largest packet of the interface: Ethernet, some tunnels, the least that IPv6 allows. */
const SIZES = [1500, 1400, 1280] as const;
/** RFC 6762 §17: no message is longer. */
const LARGEST = 8_900;
const TIME = 1_300;
const DEFAULT_MTU = 1_500;

export interface Packets {
  /** Sizes of IP packets that were answered, and that were not. */
  readonly answered: readonly number[];
  readonly lost: readonly number[];
}

/** Sends the peer packets of several sizes. Nothing is known when not even a small one is answered. */
export async function tryPackets(
  addresses: readonly DialableAddress[], asked: readonly Asked[], mtu: (iface: string) => number | undefined,
  answers: (iface: string, address: string, asked: readonly Asked[], ms: number, bytes?: number) => Promise<boolean>,
): Promise<Packets | undefined> {
  const [target] = addresses;
  if (!target) return undefined;
  const most = Math.min(mtu(target.interface) ?? DEFAULT_MTU, LARGEST);
  const sizes = [...new Set([most, ...SIZES.filter((size) => size < most)])];
  const one = (size?: number): Promise<boolean> => answers(target.interface, target.address, asked, TIME, size);
  const [small, ...large] = await Promise.all([one(), ...sizes.map((size) => one(size))]);
  if (!small) return undefined;
  return { answered: sizes.filter((_, index) => large[index]), lost: sizes.filter((_, index) => !large[index]) };
}

/** Do large packets get through as small ones do? */
export function checkPeerPackets(peer: KnownPeer, greeting: Greeting | undefined, packets: Packets | undefined): Finding[] {
  const where = { peer: peer.name };
  const most = Math.max(0, ...packets?.answered ?? []);
  // Only what is larger than all that arrived: a small one that is missing was lost by chance.
  const lost = (packets?.lost ?? []).filter((size) => size > most);
  const stuck = greeting?.large === false;
  if (!stuck && lost.length === 0) {
    if (greeting?.large !== true && packets === undefined) return []; // nothing could be tried
    return [ok(CHECK, `Large packets reach ${peer.name} as small ones do.`, packets ? [`up to ${most} bytes in one packet`] : [], where)];
  }
  return [problem(CHECK, 'mtu', {
    ...where,
    message: `Small packets reach ${peer.name}, large ones vanish on the way: short messages may arrive, longer ones and whole streams get stuck.`,
    evidence: [
      ...greeting?.answered ? [`a short greeting over TCP is answered in ${greeting.ms} ms`] : [],
      ...stuck ? ['12,000 bytes over TCP are not'] : [],
      ...lost.length > 0 ? [`a packet of ${listed(lost.toSorted((a, b) => a - b).map(String))} bytes does not arrive${most > 0 ? `, one of ${most} does` : ', a small one does'}`] : [],
    ],
    advice: 'The two machines or something between them (a VPN, a tunnel, a switch with or without jumbo frames) disagree about the largest packet. '
      + `Give all of them the same MTU, or this machine a smaller one: \`ip link set IF mtu ${most >= 1280 ? most : 1280}\` (as root).`,
  })];
}
