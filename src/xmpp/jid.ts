// RFC 7622 addresses, as far as a client must understand them: the server has the last word.
export interface Jid {
  readonly local?: string;
  readonly domain: string;
  readonly resource?: string;
}

const MAX_PART = 1023;
// RFC 7622 §3.3.1: the excluded characters of a localpart, and what no part may hold; two of what are no characters XML has not either.
const LOCAL = /^[^\s"&'/:<>@\p{Cc}\p{Surrogate}\p{Noncharacter_Code_Point}]+$/u;
const DOMAIN = /^(?:\[[0-9A-Fa-f:.]+\]|[^\s"&'/:<>@[\]\p{Cc}\p{Surrogate}\p{Noncharacter_Code_Point}]+)$/u;
const RESOURCE = /^[^\p{Cc}\p{Surrogate}\p{Noncharacter_Code_Point}]+$/u;

function fits(part: string): boolean {
  return Buffer.byteLength(part) <= MAX_PART;
}

/** RFC 7622 §3.2: the first `/` ends the bare part, then the first `@` ends the local part. */
export function parseJid(text: string): Jid | undefined {
  const slash = text.indexOf('/');
  const head = slash < 0 ? text : text.slice(0, slash);
  const resource = slash < 0 ? undefined : text.slice(slash + 1).normalize('NFC');
  const at = head.indexOf('@');
  const local = at < 0 ? undefined : head.slice(0, at).normalize('NFC').toLowerCase();
  const domain = head.slice(at + 1).normalize('NFC').toLowerCase().replace(/\.$/, '');
  if (!DOMAIN.test(domain) || !fits(domain)) return undefined;
  if (local !== undefined && (!LOCAL.test(local) || !fits(local))) return undefined;
  if (resource !== undefined && (!RESOURCE.test(resource) || !fits(resource))) return undefined;
  return { ...(local === undefined ? {} : { local }), domain, ...(resource === undefined ? {} : { resource }) };
}

/** What keeps a text from being an address, and in which part; undefined for one that is. */
export function faultOfJid(text: string): string | undefined {
  if (parseJid(text)) return undefined;
  const slash = text.indexOf('/');
  const head = slash < 0 ? text : text.slice(0, slash);
  const at = head.indexOf('@');
  const parts: readonly (readonly [part: string, text: string, allowed: RegExp])[] = [
    ...at < 0 ? [] : [['before the @', head.slice(0, at), LOCAL] as const],
    [at < 0 ? 'in its domain' : 'after the @', head.slice(at + 1).replace(/\.$/, ''), DOMAIN],
    ...slash < 0 ? [] : [['after the /', text.slice(slash + 1), RESOURCE] as const],
  ];
  for (const [part, given, allowed] of parts) {
    const normal = given.normalize('NFC');
    if (normal === '') return `${part} there is nothing`;
    if (!fits(normal)) return `${part} there are more than ${MAX_PART} bytes`;
    if (allowed.test(normal)) continue;
    const wrong = Array.from(normal).find((character) => !allowed.test(character));
    return wrong === undefined ? `${part} there is ${JSON.stringify(normal)}` : `${part} there is ${JSON.stringify(wrong)}`;
  }
  return 'it has no form of one';
}

function asJid(jid: string | Jid): Jid | undefined {
  return typeof jid === 'string' ? parseJid(jid) : jid;
}

/** `local@domain`, normalised; undefined for what is no address. */
export function bare(jid: string | Jid): string | undefined {
  const parts = asJid(jid);
  return parts && (parts.local === undefined ? parts.domain : `${parts.local}@${parts.domain}`);
}

/** The whole address, normalised. */
export function full(jid: string | Jid): string | undefined {
  const parts = asJid(jid);
  return parts && (parts.resource === undefined ? bare(parts) : `${bare(parts)}/${parts.resource}`);
}

/** Whether it is an account's address: a local part, no resource. */
export function isBareJid(text: string): boolean {
  const jid = parseJid(text);
  return jid?.local !== undefined && jid.resource === undefined;
}
