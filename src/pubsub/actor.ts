/** Who asks the broker for something. A peer is its key; the name is a label for people. An account is its bare JID. */
export type Actor =
  | { readonly kind: 'owner' }
  | { readonly kind: 'peer'; readonly name: string; readonly fingerprint?: string }
  | { readonly kind: 'account'; readonly jid: string };

export const OWNER: Actor = { kind: 'owner' };

/** How an actor appears as the publisher of an item; the box itself leaves it out. */
export function publisherOf(actor: Actor): string | undefined {
  if (actor.kind === 'owner') return undefined;
  return actor.kind === 'peer' ? `link:${actor.name}` : `xmpp:${actor.jid}`;
}

/** What rights belong to: `key:FINGERPRINT` or `xmpp:JID`, never a name on the link. Undefined for the owner, and for who has shown no key. */
export type Address = `key:${string}` | `xmpp:${string}`;

export function keyAddress(fingerprint: string): Address {
  return `key:${fingerprint}`;
}

export function addressOf(actor: Actor): Address | undefined {
  if (actor.kind === 'account') return `xmpp:${actor.jid}`;
  return actor.kind === 'peer' && actor.fingerprint !== undefined ? keyAddress(actor.fingerprint) : undefined;
}

export function isAddress(text: string): text is Address {
  return /^key:[0-9a-f]{64}$/.test(text) || /^xmpp:[^\s/]{1,1023}$/.test(text);
}

/** For people. */
export function called(actor: Actor): string {
  if (actor.kind === 'owner') return 'the owner';
  return actor.kind === 'peer' ? actor.name : actor.jid;
}
