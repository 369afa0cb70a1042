import { addressToBytes, fourNumber, inSubnet, isLinkLocal, withoutZone } from './address.ts';
import type { Family, InterfaceInfo } from './network.ts';

// What interfaces mean for links: which families each speaks, which are one link, what a change touches.

/** One interface and family that shall be joined. */
export interface Wish { readonly iface: InterfaceInfo; readonly family: Family }

/** The links there are, by `interface/family`. */
export function linksOf(interfaces: readonly InterfaceInfo[]): Map<string, Wish> {
  const wanted = new Map<string, Wish>();
  for (const iface of interfaces) {
    for (const family of familiesOf(iface)) {
      if (!sameLink(iface, family, wanted)) wanted.set(`${iface.name}/${family}`, { iface, family });
    }
  }
  return wanted;
}

function familiesOf({ addresses }: InterfaceInfo): Family[] {
  const has = (family: Family): boolean => addresses.some((own) => own.family === family && own.prefix < (family === 4 ? 32 : 128));
  return ([4, 6] as const).filter(has);
}

export function printOf({ addresses }: InterfaceInfo): string {
  return addresses.map(({ address, prefix }) => `${withoutZone(address)}/${prefix}`).toSorted().join(' ');
}

/** An address of our own as bytes, with the length of its prefix in bits. */
export interface Subnet {
  readonly bytes: Uint8Array;
  readonly prefix: number;
  /** Of IPv4: the first and the last address in it, as numbers. Else none is between them. */
  readonly first: number;
  readonly last: number;
}

/** Worked out once for an interface: every packet is held against it. */
export function subnetsOf({ addresses }: InterfaceInfo): Subnet[] {
  return addresses.flatMap(({ address, prefix }) => {
    const bytes = addressToBytes(address);
    return bytes ? [{ bytes, prefix, ...rangeOf(fourNumber(address), prefix) }] : [];
  });
}

function rangeOf(four: number, prefix: number): { first: number; last: number } {
  if (four < 0) return { first: 0, last: -1 };
  const size = 2 ** (32 - prefix);
  const first = four - four % size;
  return { first, last: first + size - 1 };
}

export function onLink(address: Uint8Array, subnets: readonly Subnet[]): boolean {
  for (const { bytes, prefix } of subnets) if (inSubnet(address, bytes, prefix)) return true;
  return false;
}

/** RFC 6762 §11: what comes from elsewhere is not for us. */
export function isFromLink(address: string, subnets: readonly Subnet[]): boolean {
  const bytes = addressToBytes(address);
  return bytes !== undefined && (isLinkLocal(bytes) || onLink(bytes, subnets));
}

/** As `onLink`, of an IPv4 address that is a number. */
export function isNumberOnLink(four: number, subnets: readonly Subnet[]): boolean {
  for (let at = 0; at < subnets.length; at++) {
    const subnet = subnets[at];
    if (subnet && four >= subnet.first && four <= subnet.last) return true;
  }
  return false;
}

/** What a channel depends on: an IPv4 membership belongs to an address too, an IPv6 one to the interface alone. */
export function channelPrint(iface: InterfaceInfo, family: Family): string {
  const addresses = family === 6 ? '' : printOf({ name: iface.name, addresses: iface.addresses.filter((own) => own.family === 4) });
  return `${iface.index ?? ''} ${addresses}`;
}

/** Several IPv4 interfaces on one subnet are one link. */
function sameLink(iface: InterfaceInfo, family: Family, wanted: ReadonlyMap<string, Wish>): boolean {
  if (family !== 4) return false;
  const mine = subnetsOf(iface); // an IPv6 subnet equals none of IPv4
  return [...wanted.values()].some((other) => other.family === 4 && subnetsOf(other.iface).some((net) => (
    net.bytes.length === 4 && mine.some(({ bytes, prefix }) => prefix === net.prefix && inSubnet(bytes, net.bytes, prefix))
  )));
}
