import type { Limits, Trouble } from '../../api.ts';
import type { Clock } from '../../clock.ts';
import type { Identity } from '../../trust/identity.ts';
import type { Trust } from '../../trust/trust.ts';
import type { Element } from '../../xmpp/element.ts';
import type { PeerContext } from '../context.ts';
import type { Peers, Sighting } from '../peers.ts';
import type { OwnAddress } from '../source-address.ts';
import type { ProvenPeer } from '../streams-port.ts';
import type { Tcp } from '../tcp.ts';
import type { Timing } from './timing.ts';

export interface StreamsInit {
  readonly clock: Clock;
  readonly trouble: (trouble: Trouble) => void;
  readonly tcp: Tcp;
  readonly identity: Identity;
  readonly certificate: () => Promise<string>;
  readonly trust: Trust;
  readonly peers: Peers;
  readonly limits: Pick<Limits, 'streams' | 'stanzaBytes' | 'xmlDepth'>;
  /** This box's name on the link now. */
  readonly self: () => string;
  readonly interfaces: () => readonly { readonly name: string; readonly addresses: readonly OwnAddress[] }[];
  /** Asks where a peer is now. */
  readonly resolve: (name: string, ms: number) => Promise<unknown>;
  /** disco#info of this box. */
  readonly disco: () => Element;
  readonly dispatch: (stanza: Element, context: PeerContext) => Promise<Element | undefined>;
  readonly timing?: Partial<Timing>;
  readonly roomy?: (() => Promise<void> | undefined) | undefined;
  /** Whether this box has asked for what comes of a peer: it is no work that a stranger makes. Default: for answers only. */
  readonly expects?: ((stanza: Element, peer: ProvenPeer) => boolean) | undefined;
  /** Whether the owner admits calls from that address, though nobody is announced there. */
  readonly admits?: (address: string) => boolean;
  readonly on: {
    /** What a peer can do, as it says. */
    disco(name: string, query: Element): void;
    opened(peer: ProvenPeer): void;
    closed(peer: ProvenPeer): void;
    /** What is known of a peer by its streams is different now. */
    changed(name: string): void;
    /** A message went there, or came from there. */
    talked(name: string): void;
    /** A stream to a peer that is not on the link is in use. */
    reached(peer: Sighting): void;
    /** Its stream died without a goodbye, or nobody listens where it said: its records may be stale. */
    silent(name: string): void;
  };
}
