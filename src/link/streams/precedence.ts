/** A box as both ends of a stream know it. */
export interface KeyedName {
  readonly name: string;
  readonly fingerprint: string;
}

/**
 * Which of two boxes that do the same at once goes first: both come to the same answer without a word. The lower
 * fingerprint; a copied data directory shares its key, then the lower name.
 */
export function goesFirst(self: KeyedName, peer: KeyedName): boolean {
  return self.fingerprint === peer.fingerprint ? self.name < peer.name : self.fingerprint < peer.fingerprint;
}
