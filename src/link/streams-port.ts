import type { Element } from '../xmpp/element.ts';

/** A peer whose stream has proven its key. */
export interface ProvenPeer {
  readonly name: string;
  readonly fingerprint: string;
}

/** Both keys of a stream, and what only its two ends know. */
export interface Ends {
  readonly own: Uint8Array;
  readonly peer: Uint8Array;
  readonly binding: Uint8Array;
}

/** What feeds and intakes need of the streams to peers. */
export interface PeerStreams {
  /**
   * To whoever has the name, or `only` to the key. Resolves when handed to the stream; `delivered` when the peer's `h`
   * covers it, `taken` when one without `h` was there to read it. `still`: asked when it is handed to the stream, which may
   * be long after this; false: it is not, and this rejects.
   */
  send(name: string, stanza: Element, only?: string, still?: () => boolean): Promise<{ readonly delivered?: Promise<void>; readonly taken?: Promise<void> }>;
  /** Opens a stream when there is none. */
  request(name: string, iq: Element): Promise<Element>;
}
