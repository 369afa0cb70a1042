// Who may do what.

export type TrustLevel = 'none' | 'seen' | 'paired';

export type Right = 'chat' | 'read' | 'write' | 'files' | 'relay' | 'command' | 'device';

/**
 * `read` and `write` have a filter of topics, `relay` a server that a paired box may be connected to through this one:
 * `HOST:PORT`, or `xmpp:DOMAIN` where DNS says which host serves it; `command` has a filter of commands' names, as of topics,
 * and `device` one of the names of devices that may be written to.
 * The others have none.
 */
export interface Grant { readonly right: Right; readonly filter?: string }

/** An account that the owner says is used by one paired key alone. */
export interface AccountClaim {
  /** `xmpp:JID`. */
  readonly address: string;
  /** Mail for it takes the link only while it is `proven`: for 30 days, renewed by itself before. */
  readonly state: 'unproven' | 'proven' | 'expired';
  /** When that state began, ms since 1970. */
  readonly since: number;
  /** Why the last try did not prove it, in words. */
  readonly reason?: string;
}

export interface TrustEntry {
  readonly name: string;
  readonly fingerprint: string;
  readonly level: TrustLevel;
  readonly grants: readonly Grant[];
  /** These go before grants, and before what holds for its class. */
  readonly denials: readonly Grant[];
  readonly lastSeen: number;
  /** Absent when there are none. */
  readonly claims?: readonly AccountClaim[];
}

/** Peers without a key, with a key that nobody vouched for, with one that the owner did. */
export type PeerClass = 'class:plain' | 'class:seen' | 'class:paired';

/** What peers may do of whom nothing is said by name: unless something is said here, chat and nothing else. */
export interface ClassRules {
  readonly name: PeerClass;
  readonly grants: readonly Grant[];
  readonly denials: readonly Grant[];
}

/** What an account elsewhere, `xmpp:JID`, may do by way of a home: run commands, and write to devices. `xmpp:DOMAIN` stands for all accounts there, where devices are meant. */
export interface AccountRules {
  readonly name: string;
  readonly grants: readonly Grant[];
  readonly denials: readonly Grant[];
}

/** What becomes of a pairing, in order; `paired` and `failed` end it. */
export type PairingEvent =
  /** The window is open here; the other box's owner has to open one too. `until`: ms since 1970. */
  | { readonly type: 'waiting'; readonly peer: string; readonly fingerprint: string; readonly until: number }
  /** To be compared with those that the other box shows. */
  | { readonly type: 'words'; readonly peer: string; readonly fingerprint: string; readonly words: readonly string[] }
  | { readonly type: 'paired'; readonly peer: string; readonly fingerprint: string; readonly entry: TrustEntry }
  | {
    readonly type: 'failed'; readonly peer: string; readonly fingerprint: string;
    /** The time or the tries were over, an owner said no, the box closed, or what `detail` says. */
    readonly reason: 'expired' | 'tries' | 'refused' | 'closed' | 'failed'; readonly detail?: string;
  };
