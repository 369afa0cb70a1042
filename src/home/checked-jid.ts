import { LanpostError } from '../errors.ts';
import type { Address } from '../mail/address.ts';
import { faultOfJid } from '../xmpp/jid.ts';

/** Throws for what claims to be a JID and is none: no road will ever lead there. */
export function checkJid(address: Address, given: string): void {
  const fault = address.kind === 'xmpp' ? faultOfJid(address.jid) : undefined;
  if (fault !== undefined) throw new LanpostError('invalid-value', `${JSON.stringify(given)} is no JID, NAME@DOMAIN: ${fault}${given.startsWith('xmpp:') ? '' : `. A peer that is called so is link:${given}`}`);
}
