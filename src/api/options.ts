// What a box is made with.
import type { HomeOptions } from './home.ts';
import type { About } from './peer.ts';

/** What the box does for itself; every member has a default. */
export interface BoxOptions {
  /** Data directory, made with mode 0700. Default `./.lanpost`. */
  readonly dir?: string;
  /** Label on the link, without `@hostname`. Default `lanpost-` and 4 characters of the fingerprint. */
  readonly name?: string;
  /** The link, or `false` for none. */
  readonly link?: false | {
    /** Interface names; default every one that is up, multicast-capable and not loopback. */
    readonly interfaces?: readonly string[];
    /** TCP port; default 5298, or a free one. */
    readonly port?: number;
    /** What is said of a person, for this run: it goes before what `setAbout` has kept. */
    readonly about?: Omit<About, 'personal'>;
    /** `false`: no first and last name, nick, email or jid is published. */
    readonly personal?: boolean;
    /** Peers where multicast does not reach, as `HOST`, `HOST:PORT` or `[IPV6]:PORT`: a stream to each is kept open. */
    readonly peers?: readonly string[];
    /** Networks, as `10.8.0.0/16`, from which peers may call that are not on the link. Default none. */
    readonly accept?: readonly string[];
    /** Domains whose DNS lists boxes (RFC 6763), as `example.org`: a stream to each is kept open. */
    readonly domains?: readonly string[];
    /** DNS servers to ask for them, as `192.0.2.1` or `192.0.2.1:53`; default the system's. */
    readonly dns?: readonly string[];
  };
  readonly homes?: readonly HomeOptions[];
  /** Serve the control socket. Default true. */
  readonly control?: boolean;
  readonly limits?: Partial<Limits>;
}

/** Every limit, with its unit; `docs/LIMITS.md` lists the defaults. */
export interface Limits {
  /** Free bytes on the data directory's disk below which nothing is accepted. */
  readonly diskFloor: number;
  /** Bytes of one item's payload. */
  readonly itemBytes: number;
  /** Bytes of one stanza on the link. */
  readonly stanzaBytes: number;
  /** Depth of XML elements within one stanza on the link. */
  readonly xmlDepth: number;
  /** Peers remembered on the link. */
  readonly peers: number;
  /** Streams open at once on the link. */
  readonly streams: number;
  /** Bytes of one file from a peer. */
  readonly fileBytes: number;
  /** Bytes of the files from one peer that lie in its folder. */
  readonly peerFilesBytes: number;
  /** Bytes of the files from all peers. */
  readonly filesBytes: number;
  readonly topics: number;
  readonly subscriptions: number;
}
