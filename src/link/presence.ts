// XEP-0174 v2.0.1 §3.1 and the registry in §15.1: what a peer says of itself in its TXT record.
// All of it is claimed, none of it proven.
import type { PeerStatus } from '../api.ts';

/** Entity capabilities (XEP-0115): what the application is and can do, as a hash. */
export interface Caps {
  readonly node: string;
  readonly hash: string;
  readonly ver: string;
}

/** What this box says of itself. */
export interface Presence {
  readonly status: PeerStatus;
  readonly text?: string;
  readonly nick?: string;
  /** §3.1 D10: also sent as `port.p2pj`, equal to the SRV port. */
  readonly port: number;
  readonly caps?: Caps;
}

/** What a peer says of itself. */
export interface Claims {
  readonly status: PeerStatus;
  readonly text?: string;
  readonly nick?: string;
  readonly caps?: Caps;
  /** Says it is a box like this one: TLS is then expected of it. */
  readonly box: boolean;
}

/** Our own key in the TXT record; its value is the version of what boxes speak among themselves. */
const BOX_KEY = 'lanpost';
const BOX_VERSION = '1';
const WIRE_STATUS: Readonly<Record<PeerStatus, string>> = { available: 'avail', away: 'away', dnd: 'dnd' };
/** RFC 6763 §6.1: one string of a TXT record holds at most 255 bytes. */
const STRING_BYTES = 255;
/** Claimed text is shown to people: neither endless nor able to steer a terminal. */
const SHOWN_CHARACTERS = 256;

/** Cuts to so many bytes of UTF-8 without leaving half a character. */
function fitted(text: string, bytes: number): string {
  const encoded = Buffer.from(text);
  if (encoded.length <= bytes) return text;
  let end = bytes;
  while (end > 0 && ((encoded[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return encoded.subarray(0, end).toString();
}

export function buildTxt(presence: Presence): [string, string][] {
  const { caps, nick } = presence;
  const pairs: [string, string | undefined][] = [
    ['txtvers', '1'], // D5: first; Adium and iChat drop who leaves it out
    ['1st', nick], // COMPAT(Gaim <= 2.0): needs 1st, last and status
    ['last', ''],
    ['port.p2pj', String(presence.port)], // COMPAT(Adium 1.0): connects to this one
    ['status', WIRE_STATUS[presence.status]],
    ['msg', presence.text === '' ? undefined : presence.text],
    ['nick', nick],
    ['node', caps?.node],
    ['hash', caps?.hash],
    ['ver', caps?.ver],
    [BOX_KEY, BOX_VERSION],
  ];
  return pairs.flatMap(([key, value]) => (value === undefined ? [] : [[key, fitted(value, STRING_BYTES - key.length - 1)]]));
}

function readStatus(value: string | undefined): PeerStatus {
  if (value === 'dnd') return 'dnd';
  // COMPAT: `xa` is not in the registry but is sent; absent or unknown means available.
  return value === 'away' || value === 'xa' ? 'away' : 'available';
}

const shown = (text: string): string => text.replace(/\p{Cc}+/gu, ' ').slice(0, SHOWN_CHARACTERS).trim();

/** D3: nothing in it is needed. RFC 6763 §6.4: keys ignore case, the first of a key wins. */
export function readTxt(txt: Iterable<readonly [string, string | true]>): Claims {
  const values = new Map<string, string>();
  for (const [key, value] of txt) {
    const name = key.toLowerCase();
    if (!values.has(name)) values.set(name, value === true ? '' : value);
  }
  const text = shown(values.get('msg') ?? '');
  const nick = shown(values.get('nick') ?? '') || shown(`${values.get('1st') ?? ''} ${values.get('last') ?? ''}`);
  const [node, hash, ver] = [values.get('node'), values.get('hash'), values.get('ver')];
  return {
    status: readStatus(values.get('status')),
    ...(text ? { text } : {}),
    ...(nick ? { nick } : {}),
    // COMPAT(libpurple 2.14): sends node and ver without hash; then ver is a version, not a hash.
    ...(node && hash && ver ? { caps: { node, hash, ver } } : {}),
    box: values.has(BOX_KEY),
  };
}
