// XEP-0334 (1.0.0) and XEP-0280 §9: what servers need neither keep nor copy to other devices of the account.
import { type Element, xml } from '../xmpp/element.ts';

export const NS_HINTS = 'urn:xmpp:hints';
const NS_CARBONS = 'urn:xmpp:carbons:2';

export const passing = (): Element[] => [
  ...['no-store', 'no-permanent-store', 'no-copy'].map((name) => xml(name, { xmlns: NS_HINTS })),
  xml('private', { xmlns: NS_CARBONS }),
];
