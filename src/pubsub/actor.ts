/** Who asks the broker for something. A peer is its key; the name is a label for people. */
export type Actor =
  | { readonly kind: 'owner' }
  | { readonly kind: 'peer'; readonly name: string; readonly fingerprint?: string };

export const OWNER: Actor = { kind: 'owner' };

/** How an actor appears as the publisher of an item; the box itself leaves it out. */
export function publisherOf(actor: Actor): string | undefined {
  return actor.kind === 'owner' ? undefined : `link:${actor.name}`;
}
