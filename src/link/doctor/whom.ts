import { isIP } from 'node:net';
import type { HomeStatus, OffLinkPeer } from '../../api.ts';
import { parseAddress } from '../../mail/address.ts';
import type { KnownPeer } from '../peers.ts';
import { isMeant } from './far-peers.ts';
import type { Patient } from './patient.ts';

/** Peers that are tried when none is named. */
export const MAX_PEERS = 8;

export interface Whom {
  readonly peers: readonly KnownPeer[];
  readonly far: readonly OffLinkPeer[];
  readonly left: number;
  readonly jid?: string;
  /** Of a machine that is no peer. */
  readonly address?: string;
  readonly unknown?: string;
}

/** Whom PEER means: a name on the link, a key, or an account somewhere. */
export function whom(peer: string | undefined, { peers, trust, far: callsTo }: Patient, homes: readonly HomeStatus[]): Whom {
  if (peer === undefined) {
    const all = peers.all().toSorted((a, b) => Number(b.claims.box) - Number(a.claims.box));
    return { peers: all.slice(0, MAX_PEERS), far: callsTo().slice(0, MAX_PEERS), left: Math.max(0, all.length - MAX_PEERS) };
  }
  const far = callsTo().filter((entry) => isMeant(entry, peer));
  const here = peers.get(peer);
  if (here) return { peers: [here], far, left: 0 };
  const reached = far.flatMap(({ name }) => (name === undefined ? [] : peers.get(name) ?? []));
  if (far.length > 0) return { peers: reached, far, left: 0 };
  if (isIP(peer) !== 0) {
    const there = peers.at(peer);
    return there.length > 0 ? { peers: there.slice(0, MAX_PEERS), far, left: 0 } : { peers: [], far, left: 0, address: peer };
  }
  const address = parseAddress(peer, (domain) => homes.some(({ jid }) => jid.endsWith(`@${domain}`)));
  if (address.kind === 'xmpp') return { peers: [], far, left: 0, jid: address.jid };
  const known = peers.get(address.name) ?? peers.get(trust.find(peer)?.name ?? '');
  return known ? { peers: [known], far, left: 0 } : { peers: [], far, left: 0, unknown: address.name };
}
