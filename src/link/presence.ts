// XEP-0174 v2.0.1 §3.1 and the registry in §15.1: what this box says of itself in its TXT record.
import type { About, PeerStatus } from '../api.ts';
import type { Caps } from '../xep/caps.ts';
import { BOX_KEY } from './claims.ts';

/** What this box says of itself. */
export interface Presence {
  readonly status: PeerStatus;
  readonly text?: string;
  /** What the box is called; its instance name says so already. */
  readonly label?: string;
  readonly about?: About;
  /** §11.3: also sent as `port.p2pj`, equal to the SRV port. */
  readonly port: number;
  readonly caps?: Caps;
  /** SHA-1 of the picture, hex. */
  readonly avatar?: string;
}

/** RFC 6763 §6.2: what a TXT record should have at most. */
export const TXT_BYTES = 1_300;
const BOX_VERSION = '1';
const WIRE_STATUS: Readonly<Record<PeerStatus, string>> = { available: 'avail', away: 'away', dnd: 'dnd' };
/** RFC 6763 §6.1: one string of a TXT record holds at most 255 bytes. */
const STRING_BYTES = 255;

/** Cuts to so many bytes of UTF-8 without leaving half a character. */
function fitted(text: string, bytes: number): string {
  const encoded = Buffer.from(text);
  if (encoded.length <= bytes) return text;
  let end = bytes;
  while (end > 0 && ((encoded[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return encoded.subarray(0, end).toString();
}

/**
 * No key twice (§3.1), and never `n`, which the listing in §3 shows twice and the registry does not have. Nor `ext`, which
 * is optional (§10) and deprecated (XEP-0115 §4): all that it said is in `ver`.
 */
export function buildTxt(presence: Presence): [string, string][] {
  const { caps } = presence;
  const pairs: [string, string | undefined][] = [
    ['txtvers', '1'], // §3.1: first; Adium and iChat drop who leaves it out
    ...personal(presence),
    ['port.p2pj', String(presence.port)], // COMPAT(Adium 1.0): connects to this one
    ['status', WIRE_STATUS[presence.status]],
    ['msg', presence.text === '' ? undefined : presence.text],
    ['node', caps?.node],
    ['hash', caps?.hash],
    ['ver', caps?.ver],
    ['phsh', presence.avatar],
    // Not in a call, and able to make none: no A, V or C. libpurple 2.14 says the same.
    ['vc', '!'],
    [BOX_KEY, BOX_VERSION],
  ];
  return pairs.flatMap(([key, value]) => (value === undefined ? [] : [[key, fitted(value, STRING_BYTES - key.length - 1)]]));
}

/** §13.4: the owner may keep all of it to himself. */
function personal({ about = {}, label }: Presence): [string, string | undefined][] {
  if (about.personal === false) return [];
  const { first, last, nick, email, jid } = about;
  const unnamed = first === undefined && last === undefined;
  return [
    // COMPAT(Gaim <= 2.0): needs 1st and last. What the box is called is nothing of a person.
    ['1st', unnamed ? label : first ?? ''],
    ['last', unnamed && label === undefined ? undefined : last ?? ''],
    ['nick', nick ?? (unnamed ? label : undefined)], // COMPAT(libpurple 2.14): shows it before both
    ['email', email?.join(' ')],
    ['jid', jid?.join(' ')],
  ];
}

/** Bytes of the record's data. */
export function txtBytes(pairs: Iterable<readonly [string, string]>): number {
  let bytes = 0;
  for (const [key, value] of pairs) bytes += 2 + Buffer.byteLength(key) + Buffer.byteLength(value);
  return bytes;
}
