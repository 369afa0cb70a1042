// Files to and from peers.
import type { ErrorCode } from '../errors.ts';
import type { TrustLevel } from './trust.ts';

/** A file that is in memory, to be sent. */
export interface FileContent { readonly name: string; readonly data: Uint8Array }

export interface SendFileOptions {
  /** For the person who decides whether to take it. */
  readonly description?: string;
  /** Ends the transfer. */
  readonly signal?: AbortSignal;
}

/** One file that goes to a peer or comes from one: as it stands, and how it came to stand so. */
export interface FileEvent {
  /**
   * `offered`: the other side's owner has to decide, or the owner of this box (`direction`). `done` and `failed` end it.
   * `done`, incoming: all of it is on disk. Outgoing: a box has it on disk; of other peers it is only known that they took all bytes.
   */
  readonly type: 'offered' | 'accepted' | 'progress' | 'done' | 'failed';
  readonly id: string;
  readonly direction: 'in' | 'out';
  /** Name on the link of whoever sends it, or gets it. */
  readonly peer: string;
  readonly trust: TrustLevel;
  readonly fingerprint?: string;
  /** The file's name, without any way in it and fit to be one here. */
  readonly name: string;
  readonly size: number;
  /** Bytes that went over so far. */
  readonly sent: number;
  readonly description?: string;
  /** `offered`: when the offer expires, ms since 1970. */
  readonly until?: number;
  /** `done`, incoming: where it is. */
  readonly path?: string;
  /** `failed`: why. */
  readonly code?: ErrorCode;
  readonly message?: string;
}
