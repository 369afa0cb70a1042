// Records that are carried home by a paired box.

/** A box that may publish what this one cannot bring to its home. */
export interface Carrier {
  /** Its name, or its fingerprint when it has none now. */
  readonly peer: string;
  readonly fingerprint: string;
  /** `xmpp:JID` that it publishes as. */
  readonly account: string;
  /** This box's account, to whose nodes. */
  readonly home: string;
}

/** A file of what waits for a home. */
export interface OutboxExport {
  readonly id: string;
  readonly records: number;
  readonly bytes: number;
  /** More waits than one file holds. */
  readonly more: boolean;
  /** Until when it may be imported, ms since 1970. */
  readonly expires: number;
}

/** What became of such a file at the box that it was for. */
export interface OutboxImport {
  readonly id: string;
  /** Fingerprint of the box that wrote it. */
  readonly author: string;
  readonly records: number;
  /** Of them: published now; there already; that the home will not take; that had waited for longer than their rule's `expire`. */
  readonly published: number;
  readonly present: number;
  readonly refused: number;
  readonly expired: number;
  /** Path of the confirmation for its author. */
  readonly confirmation: string;
}
