import type { KnownPeer } from './peers.ts';
import { onLink, type OwnAddress } from './source-address.ts';

export interface DialableAddress {
  /** With its scope, when it needs one. */
  readonly address: string;
  readonly family: 4 | 6;
  readonly interface: string;
}

/**
 * Only what is on the link it was learned on. IPv4 first: libpurple answers only whom it knows by
 * that very address, and it knows IPv6 ones only where it heard us over IPv6.
 */
export function dialable(peer: Pick<KnownPeer, 'addresses'>, interfaces: readonly { readonly name: string; readonly addresses: readonly OwnAddress[] }[]): DialableAddress[] {
  const own = new Map(interfaces.map(({ name, addresses }) => [name, addresses]));
  return peer.addresses
    .filter(({ address, interface: learnedOn }) => onLink(address, own.get(learnedOn) ?? []))
    .toSorted((a, b) => a.family - b.family)
    .map(({ address, family, interface: learnedOn }) => ({
      address: /^fe[89ab]/i.test(address) && !address.includes('%') ? `${address}%${learnedOn}` : address, family, interface: learnedOn,
    }));
}
