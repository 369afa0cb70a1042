const XMPP = 'xmpp:';

/**
 * Whether a message is from what a field names: `link:NAME`, `xmpp:JID`, `device:NAME` of either, or the plain name. An account
 * writes from any of its programs: each has another resource, which counts only where the field has one.
 */
export function isFrom(wanted: string, from: string): boolean {
  // No device has an @ in its name.
  const [device] = /^device:[^@]*@/.exec(from) ?? [''];
  if (wanted === from || !wanted.startsWith(device)) return wanted === from;
  const [plain, place] = [wanted.slice(device.length), from.slice(device.length)];
  if (!place.startsWith(XMPP)) return place === `link:${plain}`;
  const jid = plain.startsWith(XMPP) ? plain.slice(XMPP.length) : plain;
  return sameJid(jid, place.slice(XMPP.length));
}

/** RFC 7622 §3.2: letters of an account and its domain are the same in either case, those of a resource are not. */
function sameJid(wanted: string, from: string): boolean {
  const [account, resource] = partsOf(wanted);
  const [itsAccount, itsResource] = partsOf(from);
  return account === itsAccount && (resource === undefined || resource === itsResource);
}

function partsOf(jid: string): readonly [account: string, resource: string | undefined] {
  const slash = jid.indexOf('/');
  const account = (slash < 0 ? jid : jid.slice(0, slash)).normalize('NFC').toLowerCase().replace(/\.$/, '');
  return [account, slash < 0 ? undefined : jid.slice(slash + 1).normalize('NFC')];
}
