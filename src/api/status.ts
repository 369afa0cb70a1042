// How the box stands.
import type { ErrorCode } from '../errors.ts';
import type { HomeStatus } from './home.ts';
import type { OffLinkPeer, OwnPresence } from './peer.ts';

/** A connection to a server that goes through a neighbour. What passes is between others, and not read. */
export interface RelayStatus {
  /** Its name on the link. */
  readonly peer: string;
  readonly to: string;
  /** `for` it this box connects, or `by` it. */
  readonly direction: 'for' | 'by';
  /** Ms since 1970. */
  readonly since: number;
  /** Both ways together. */
  readonly bytes: number;
}

export interface BoxStatus {
  /** Instance name on the link, `NAME@hostname`; the bare name when the link is off. */
  readonly name: string;
  readonly box: string;
  readonly fingerprint: string;
  readonly version: string;
  readonly dir: string;
  readonly link: {
    readonly state: 'off' | 'starting' | 'up' | 'failed';
    readonly port?: number;
    readonly interfaces: readonly string[];
    readonly reason?: string;
    /** Peers that are called because multicast does not reach them; absent when there are none. */
    readonly offLink?: readonly OffLinkPeer[];
    /** Domains whose DNS lists boxes that are called; absent when there are none. */
    readonly domains?: readonly string[];
    /** Connections to servers for neighbours, and by way of them; absent when there are none. */
    readonly relays?: readonly RelayStatus[];
  };
  readonly presence: OwnPresence;
  readonly peers: number;
  readonly homes: readonly HomeStatus[];
  readonly log: { readonly state: 'open' | 'refusing' | 'closed'; readonly head: number; readonly topics: number; readonly bytes: number; readonly freeBytes: number; readonly reason?: string; /** How often readers lost something: lines ever written to `$ledger`. */ readonly losses: number };
  /** Peers that wait to be let subscribe to a topic whose access model is `authorize`; `topics.requests()` lists them. */
  readonly requests: number;
  /** Background trouble by kind, counted since the start. */
  readonly troubles: Readonly<Record<string, number>>;
}

/** Something went wrong behind the scenes; also counted in `status().troubles`. */
export interface Trouble {
  /** `<room>.<what>`, e.g. `log.refusing`, `link.impostor`, `home.auth`. */
  readonly kind: string;
  readonly message: string;
  readonly code?: ErrorCode;
}
