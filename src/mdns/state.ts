import type { ErrorCode } from '../errors.ts';
import type { ChannelCounts, Family } from './network.ts';

/** How multicast DNS stands on one interface and family. */
export interface LinkState {
  readonly interface: string;
  readonly family: Family;
  /**
   * `joining`: being opened. `asking`: another program keeps the port to itself; peers are seen, this box is not.
   * `failed`: neither seen nor seeing. For both see `reason`; it is tried again all the time.
   */
  readonly state: 'joined' | 'joining' | 'asking' | 'failed';
  readonly reason?: string;
  readonly code?: ErrorCode;
  /** Packets of other hosts on this link, how many of them were answers or announcements, and of how many hosts. */
  readonly heard: { readonly packets: number; readonly responses: number; readonly senders: number; readonly lastAgo?: number };
  /** Packets of ours, and what became of them: none coming back means that this host hears no multicast of its own. */
  readonly sent: { readonly packets: number; readonly echoed: number; readonly failed: number; readonly error?: string };
  /** Packets whose sender is on none of this host's links (RFC 6762 §11): left unread. */
  readonly strayed: { readonly packets: number; readonly from?: string };
  readonly unreadable: { readonly packets: number; readonly from?: string };
  /** How often another had a name of ours, here. */
  readonly conflicts: number;
}

/** What is offered, and under which name. */
export interface OfferState {
  readonly instance: string;
  /** The name it would have had nobody else held it. */
  readonly wanted: string;
  readonly host: string;
  /** Another responder of this host answers for its name; the address is under a label of our own. */
  readonly besideAnother: boolean;
  /** Links, as `interface/family`, on which the name is ours. */
  readonly held: readonly string[];
}

export interface MdnsState {
  readonly links: readonly LinkState[];
  readonly offers: readonly OfferState[];
}

export const NO_COUNTS: ChannelCounts = { sent: 0, echoed: 0, failed: 0, strayed: 0 };
