// XEP-0060 1.30 §5.7, §8.9: who stands how to a node.
import type { Affiliation } from '../../api.ts';
import { type Address, keyAddress } from '../../pubsub/actor.ts';
import { AFFILIATIONS } from '../../pubsub/affiliation.ts';
import type { Broker } from '../../pubsub/broker.ts';
import { attr, children, type Element, xml } from '../../xml/element.ts';
import { bare } from '../../xmpp/jid.ts';
import { StanzaError } from '../../xmpp/stanza-error.ts';
import { needed, nodeOf, NS_PUBSUB, NS_PUBSUB_OWNER, type UseCase } from './terms.ts';

/** What the road calls keys, and which key it means by a name. */
export interface Names {
  /** Of the box. */
  readonly own: () => string;
  readonly nameOf: (fingerprint: string) => string | undefined;
  readonly keyOf: (name: string) => string | undefined;
}

export const affiliations = (broker: Broker, names: Names): UseCase => ({
  features: [
    'modify-affiliations', 'retrieve-affiliations',
    ...AFFILIATIONS.filter((one) => one !== 'owner' && one !== 'none').map((one) => `${one}-affiliation`),
  ],
  answers: {
    /** §5.7: one's own, everywhere or in one node. */
    'get affiliations': async ({ verb, actor }) => {
      const node = attr(verb, 'node');
      const found = broker.affiliationsOf(actor).filter(({ topic }) => node === undefined || topic === node);
      return xml('pubsub', { xmlns: NS_PUBSUB }, xml('affiliations', { node }, ...found.map(({ topic, affiliation }) => xml('affiliation', { node: topic, affiliation }))));
    },

    'owner get affiliations': async ({ verb, actor }) => {
      const node = nodeOf(verb);
      const all = broker.affiliations(actor, node).map(([address, affiliation]) => xml('affiliation', { jid: jidOf(address, names), affiliation }));
      // The box itself always is one.
      return xml('pubsub', { xmlns: NS_PUBSUB_OWNER }, xml('affiliations', { node }, xml('affiliation', { jid: names.own(), affiliation: 'owner' }), ...all));
    },

    'owner set affiliations': async ({ verb, actor }) => {
      const node = nodeOf(verb);
      broker.affiliations(actor, node); // whoever may not is told that first
      const { changes, refused } = read(verb, names);
      const { kept, jids } = changed(changes);
      for (const [address, affiliation] of await broker.affiliate(actor, node, kept)) refused.push({ jid: jids.get(address) ?? jidOf(address, names), affiliation });
      if (refused.length === 0) return undefined;
      // §8.9.2.4: what failed comes back as it is; what does not come back was done.
      throw new StanzaError('not-acceptable', {
        beside: xml('pubsub', { xmlns: NS_PUBSUB_OWNER }, xml('affiliations', { node }, ...refused.map((one) => xml('affiliation', { ...one })))),
      });
    },
  },
});

interface Said { readonly jid: string; readonly address: Address; readonly affiliation: Affiliation }
interface Refused { readonly jid: string; readonly affiliation: Affiliation }

function read(verb: Element, names: Names): { changes: Said[]; refused: Refused[] } {
  const changes: Said[] = [];
  const refused: Refused[] = [];
  for (const element of children(verb).filter((child) => child.name === 'affiliation')) {
    const jid = needed(element, 'jid', 'jid-required');
    const said = attr(element, 'affiliation');
    if (said === undefined) continue; // §8.9.2.1: it stays
    const affiliation = AFFILIATIONS.find((one) => one === said);
    if (affiliation === undefined) throw new StanzaError('bad-request', { text: `"${said.slice(0, 80)}" is no affiliation` });
    const address = jid === names.own() ? undefined : addressFor(jid, names);
    // A name is never an authority: what no key is known for gets nothing.
    if (address !== undefined) changes.push({ jid, address, affiliation });
    else if (jid === names.own()) {
      // §8.9.2.4: it is the last owner whatever happens.
      if (affiliation !== 'owner') refused.push({ jid, affiliation: 'owner' });
    } else refused.push({ jid, affiliation: 'none' });
  }
  return { changes, refused };
}

/** §8.9.2.4: nobody twice. */
function changed(changes: readonly Said[]): { kept: Map<Address, Affiliation>; jids: Map<Address, string> } {
  const kept = new Map(changes.map(({ address, affiliation }) => [address, affiliation] as const));
  if (kept.size < changes.length) throw new StanzaError('bad-request', { text: 'somebody is named twice' });
  return { kept, jids: new Map(changes.map(({ address, jid }) => [address, jid])) };
}

/** Names on the link are opaque: what follows one after a slash is taken for a resource only when the whole is nobody's. */
export function addressFor(jid: string, names: Names): Address | undefined {
  if (jid.startsWith('xmpp:')) {
    const account = bare(jid.slice('xmpp:'.length));
    return account === undefined ? undefined : `xmpp:${account}`;
  }
  if (/^[0-9a-f]{64}$/i.test(jid)) return keyAddress(jid.toLowerCase());
  const slash = jid.lastIndexOf('/');
  const key = names.keyOf(jid) ?? (slash < 0 ? undefined : names.keyOf(jid.slice(0, slash)));
  return key === undefined ? undefined : keyAddress(key);
}

/** The name that its key goes by, or the key itself, which always means the same. */
function jidOf(address: Address, names: Names): string {
  if (address.startsWith('xmpp:')) return address;
  const fingerprint = address.slice('key:'.length);
  return names.nameOf(fingerprint) ?? fingerprint;
}
