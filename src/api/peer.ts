// Who is on the link.
import type { TrustLevel } from './trust.ts';

export type PeerStatus = 'available' | 'away' | 'dnd';

/** What the owner says of a person on the link: nothing of it is published unless it is given. */
export interface About {
  readonly first?: string;
  readonly last?: string;
  readonly nick?: string;
  readonly email?: readonly string[];
  readonly jid?: readonly string[];
  /** `false`: none of it is published, however much is given. */
  readonly personal?: boolean;
}

/** What this box says of itself on the link. */
export interface OwnPresence {
  readonly status: PeerStatus;
  readonly statusText?: string;
  readonly about: About;
  /** SHA-1 of its picture, hex. */
  readonly avatar?: string;
}

export interface Peer {
  /** Instance name on the link: an opaque label. */
  readonly name: string;
  readonly address: string;
  /** Its name alone would be taken for an account at some home: only `address` reaches it. Absent when not so. */
  readonly readsAsJid?: boolean;
  readonly status: PeerStatus;
  readonly statusText?: string;
  /** Friendly name for display only; claimed, never proven, as is all that a peer says of itself. */
  readonly nick?: string;
  readonly first?: string;
  readonly last?: string;
  readonly email?: readonly string[];
  /** For display: no mail is sent there because a peer says so. */
  readonly jid?: readonly string[];
  readonly aim?: string;
  /** SHA-1 of its picture, hex: `peers.avatar` fetches it. */
  readonly avatar?: string;
  /** What it can do in a call, and whether it is free for one. */
  readonly calls?: readonly ('audio' | 'video' | 'conference' | 'free')[];
  /** What software it says it is: a URI mostly; `hash` says how `version` can be checked, else it is a version as people read it. */
  readonly software?: { readonly node: string; readonly version?: string; readonly hash?: string; readonly extensions?: readonly string[] };
  /** Namespaces of what its software can do, once it has said so and that fits what it announces. */
  readonly features?: readonly string[];
  readonly host: string;
  readonly port: number;
  readonly addresses: readonly string[];
  /** Another lanpost box, as it says. */
  readonly box: boolean;
  readonly trust: TrustLevel;
  /** SHA-256 of the public key, hex, once a stream has shown it. */
  readonly fingerprint?: string;
  readonly connected: boolean;
  /**
   * How it is known where no multicast reaches: the owner named it (`static`), a domain lists it (`domain`), or it
   * called and the owner admits calls from there (`caller`). Absent for a peer on the link.
   */
  readonly via?: 'static' | 'domain' | 'caller';
  /** The domain that lists it. */
  readonly domain?: string;
}

/** A peer that this box calls because its owner, or a domain, says where it is. */
export interface OffLinkPeer {
  /** `HOST:PORT`, or the instance's name in its domain. */
  readonly peer: string;
  readonly domain?: string;
  readonly state: 'calling' | 'open' | 'waiting';
  /** What it is called, once it has proven whose it is. */
  readonly name?: string;
  /** Why it was not reached the last time, in words. */
  readonly reason?: string;
  /** When it is called again, ms since 1970. */
  readonly nextAttempt?: number;
}

export interface PeerEvent { readonly type: 'up' | 'changed' | 'down'; readonly peer: Peer }
