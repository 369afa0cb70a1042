import { fingerprintOf } from '../../trust/fingerprint.ts';
import type { Identity } from '../../trust/identity.ts';
import type { Trust } from '../../trust/trust.ts';
import type { Element } from '../../xmpp/element.ts';
import type { Peers, Via } from '../peers.ts';
import { plainAddress } from '../source-address.ts';
import type { Terms } from './negotiation.ts';
import { Refusal } from './refusal.ts';

/** A peer that is not on the link, and how it comes to be one. */
export interface Far {
  readonly host: string;
  readonly port: number;
  readonly via: Via;
}

export interface TermsParts {
  readonly self: () => string;
  readonly identity: Identity;
  readonly trust: Trust;
  readonly peers: Peers;
  readonly disco: () => Element;
  readonly sessions: Terms['sessions'];
  /** The key that a stream in use to that name has proven. */
  readonly holder: (name: string) => string | undefined;
  /** A name has gone from one key to another, or to none. */
  readonly renamed: (what: string) => void;
  /** A key goes by another name. */
  readonly moved: (what: string) => void;
}

/** The keys that may be at the other end of a stream to somewhere on the link: it is opened for the sake of the key, whatever its name. */
export interface Sought {
  readonly isMeant: (fingerprint: string) => boolean;
  /** Where it was called. */
  readonly port?: number;
}

/** On what terms a stream to that address comes about: who must encrypt, and which key may go by which name. */
export function termsOf(parts: TermsParts, address: string, { far, sought }: { readonly far?: Far | undefined; readonly sought?: Sought | undefined } = {}): Terms {
  const { trust, peers, disco, self, sessions } = parts;
  const portOf = (name: string): { readonly port?: number } => {
    const port = far ? 0 : sought?.port ?? peers.get(name)?.port ?? 0;
    return port === 0 ? {} : { port };
  };
  const saysBox = (name: string): boolean => peers.get(name)?.claims.box === true;
  return {
    self: self(),
    disco,
    sessions,
    // Elsewhere anybody can say any name: without a key nothing is said.
    mustSecure: name => far !== undefined || sought !== undefined || saysBox(name)
      || trust.insists(name, [address, ...(peers.get(name)?.addresses ?? []).map(announced => plainAddress(announced.address))]),
    proven: (said, spki) => {
      const fingerprint = fingerprintOf(spki);
      // Before anything is noted: whoever is not meant leaves nothing behind.
      if (sought && !sought.isMeant(fingerprint)) throw new Refusal('unknown', 'not-authorized', `${said} is not announced at ${address}, and showed a key that nothing is wanted of`);
      const name = far || (sought && !peers.isAt(said, address)) ? farName(parts, said, fingerprint, address) : said;
      const check = trust.impostor(name, fingerprint);
      if (check === 'impostor') throw new Refusal('impostor', 'not-authorized', `${name} is the name of a paired key, but was used with another`);
      if (check === 'renamed') parts.renamed(`${name} now has another key than the one seen before`);
      const before = trust.nameOf(fingerprint);
      // Names are labels: what belongs to the key goes on under this one.
      if (before !== undefined && before !== name) parts.moved(`${before} is called ${name} now: it has the same key`);
      trust.seen(spki, name, far || sought || saysBox(name) ? { address, ...portOf(name) } : undefined);
      return name;
    },
    keyless: name => {
      if (trust.passedOn(name)) parts.renamed(`${name} has shown a key before, and now has none`);
    },
  };
}

/** Hex digits of a key that are put behind a name which somebody else has. */
const MARK = 8;

/** Names are labels, and somebody here may have this one already: what tells them apart is the key. */
function farName({ self, identity, trust, peers, holder }: TermsParts, said: string, fingerprint: string, address: string): string {
  if (said === self() && fingerprint === identity.fingerprint) throw new Refusal('refused', 'conflict', 'that is this box itself');
  const isTaken = (name: string): boolean => {
    const known = holder(name) ?? trust.holder(name);
    const same = known === undefined ? peers.isAt(name, address) : known === fingerprint;
    return name === self() || (peers.get(name) !== undefined && !same);
  };
  // Whoever knows the key can announce that name, too; but none as long as with all of it (RFC 6763 §4.1.1).
  return [said, `${said} (${fingerprint.slice(0, MARK)})`].find(name => !isTaken(name)) ?? `${said} (${fingerprint})`;
}
