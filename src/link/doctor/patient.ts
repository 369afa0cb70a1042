import type { OffLinkPeer } from '../../api.ts';
import type { Clock } from '../../clock.ts';
import type { InterfaceInfo } from '../../mdns/network.ts';
import type { SounderInit } from '../../mdns/sounder.ts';
import type { MdnsState } from '../../mdns/state.ts';
import type { Trust } from '../../trust/trust.ts';
import type { Peers } from '../peers.ts';
import type { PeerParts } from './examine-peer.ts';
import type { Machine } from './machine.ts';
import type { SounderPort } from './soundings.ts';

/** What is looked through to the outside. */
export interface Instruments {
  readonly clock: Clock;
  readonly machine?: Machine;
  /** Interfaces that are up and have an address. */
  readonly interfaces?: () => InterfaceInfo[];
  readonly sounder?: (init: SounderInit) => SounderPort;
}

/** The link of a box that runs. */
export interface Patient extends Pick<PeerParts, 'tcp' | 'self' | 'connected' | 'prove' | 'request' | 'refused'> {
  /** When a peer of that name was last heard, as far as it mattered; ms since 1970. */
  readonly lastHeard: (name: string) => number | undefined;
  readonly fingerprintOf: (name: string) => string | undefined;
  readonly trust: PeerParts['trust'] & Pick<Trust, 'list'>;
  readonly peers: Pick<Peers, 'get' | 'all' | 'at'>;
  readonly state: () => MdnsState;
  /** The name it would have if nobody else had it. */
  readonly wanted: string;
  /** Peers that it calls where no multicast reaches. */
  readonly far: () => readonly OffLinkPeer[];
  /** The only interfaces that it may use. */
  readonly only?: readonly string[] | undefined;
}
