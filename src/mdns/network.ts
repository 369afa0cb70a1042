// The network port: what the engine needs of sockets. Two implementations: socket-network.ts and,
// for tests, test/support/simulated-network.ts; one shared suite holds both to this contract.

export type Family = 4 | 6;

export interface InterfaceAddress {
  readonly address: string;
  readonly family: Family;
  /** Length of the subnet's prefix in bits. */
  readonly prefix: number;
}

/** An interface that is up and not loopback. */
export interface InterfaceInfo {
  readonly name: string;
  readonly addresses: readonly InterfaceAddress[];
  /** How often its carrier came or went, where the system tells: a cable is in another socket faster than anybody looks. */
  readonly changes?: number;
  /** Another one when it was taken away and came back under the same name, where the system tells: what was joined on the first hears nothing on the second. */
  readonly index?: number;
}

export interface Source {
  /** Without zone. */
  readonly address: string;
  readonly port: number;
}

/** Multicast DNS on one interface and family. */
export interface Channel {
  /** To the group, or to one host. Never throws: what cannot be sent is lost, as on any network. */
  send(bytes: Uint8Array, to?: Source): void;
  /** Resolves when what was sent has left. */
  close(): Promise<void>;
  counts(): ChannelCounts;
}

/** What a channel did since it was opened. */
export interface ChannelCounts {
  readonly sent: number;
  /** Packets to the group that came back to this host. */
  readonly echoed: number;
  readonly failed: number;
  /** Why the last of them failed. */
  readonly error?: string;
  /** Packets from senders that are on no link of this host. */
  readonly strayed: number;
  /** One of them. */
  readonly strayedFrom?: string;
}

export interface Network {
  /** Throws when the system cannot tell. */
  interfaces(): InterfaceInfo[];
  /**
   * Joins. `onPacket` gets what arrives from this interface's link, from others on this host too,
   * but never what this network itself sent. Rejects with a LanpostError when there is no way in.
   * `asking`: from a port of its own, as plain resolvers ask (RFC 6762 §5.1): only answers to its questions arrive.
   */
  open(name: string, family: Family, onPacket: (bytes: Buffer, from: Source) => void, asking?: boolean): Promise<Channel>;
}

export const MDNS_PORT = 5353;
