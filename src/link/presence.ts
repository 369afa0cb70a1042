// XEP-0174 v2.0.1 §3.1 and the registry in §15.1: what a peer says of itself in its TXT record.
// All of it is claimed, none of it proven.
import type { About, Peer, PeerStatus } from '../api.ts';
import type { Caps } from '../xep/caps.ts';

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

/** What a peer says of itself. */
export interface Claims extends Pick<Peer, 'status' | 'nick' | 'first' | 'last' | 'email' | 'jid' | 'aim' | 'calls' | 'software'> {
  readonly text?: string;
  readonly caps?: Caps;
  /** SHA-1 of its picture, hex. */
  readonly avatar?: string;
  /** Says it is a box like this one: TLS is then expected of it. */
  readonly box: boolean;
}

/** What a TXT record says, by its keys in lower case (RFC 6763 §6.4); `true`: a key without value. */
export type Txt = ReadonlyMap<string, string | true>;

/** RFC 6763 §6.2: what a TXT record should have at most. */
export const TXT_BYTES = 1_300;
/** Our own key in the TXT record; its value is the version of what boxes speak among themselves. */
export const BOX_KEY = 'lanpost';
const BOX_VERSION = '1';
const WIRE_STATUS: Readonly<Record<PeerStatus, string>> = { available: 'avail', away: 'away', dnd: 'dnd' };
/** RFC 6763 §6.1: one string of a TXT record holds at most 255 bytes. */
const STRING_BYTES = 255;
/** Claimed text is shown to people: neither endless nor able to steer a terminal. */
const SHOWN_CHARACTERS = 256;
/** The letters of `vc`, in any order. */
const CALLS = [['A', 'audio'], ['V', 'video'], ['C', 'conference'], ['!', 'free']] as const;

/** Cuts to so many bytes of UTF-8 without leaving half a character. */
function fitted(text: string, bytes: number): string {
  const encoded = Buffer.from(text);
  if (encoded.length <= bytes) return text;
  let end = bytes;
  while (end > 0 && ((encoded[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return encoded.subarray(0, end).toString();
}

/** No key twice (§3.1), and never `n`, which the listing in §3 shows twice and the registry does not have. */
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

function readStatus(value: string): PeerStatus {
  if (value === 'dnd') return 'dnd';
  // COMPAT: `xa` is not in the registry but is sent; absent or unknown means available.
  return value === 'away' || value === 'xa' ? 'away' : 'available';
}

const NONE: readonly string[] = [];

/** Most say nothing else than printable ASCII, and are shown as they are. */
function shown(text: string): string {
  const { length } = text;
  if (length > SHOWN_CHARACTERS || text.startsWith(' ') || text.endsWith(' ')) return clean(text);
  for (let at = 0; at < length; at++) {
    const code = text.charCodeAt(at);
    if (code < 0x20 || code > 0x7e) return clean(text);
  }
  return text;
}

const clean = (text: string): string => text.replace(/\p{Cc}+/gu, ' ').slice(0, SHOWN_CHARACTERS).trim();

/** Puts what a peer says of itself, beyond what everybody does, into its description. */
export function addClaims(peer: { -readonly [K in keyof Peer]: Peer[K] }, claims: Claims): void {
  const { text, nick, first, last, email, jid, aim, calls, software, avatar } = claims;
  if (text !== undefined) peer.statusText = text;
  if (nick !== undefined) peer.nick = nick;
  if (first !== undefined) peer.first = first;
  if (last !== undefined) peer.last = last;
  if (email !== undefined) peer.email = email;
  if (jid !== undefined) peer.jid = jid;
  if (aim !== undefined) peer.aim = aim;
  if (calls !== undefined) peer.calls = calls;
  if (software !== undefined) peer.software = software;
  if (avatar !== undefined) peer.avatar = avatar;
}

/** §3.1: nothing in it is needed. Keys that are not registered say nothing. */
export function readTxt(txt: Txt): Claims {
  const text = (key: string): string => {
    const said = txt.get(key);
    return said === undefined || said === true ? '' : shown(said);
  };
  const list = (key: string): readonly string[] => (txt.has(key) ? text(key).split(' ').filter((one) => one !== '') : NONE);
  const claims: { -readonly [K in keyof Claims]: Claims[K] } = { status: readStatus(text('status')), box: txt.has(BOX_KEY) };
  const node = text('node');
  const hash = text('hash');
  const ver = text('ver');
  const first = text('1st');
  const last = text('last');
  const msg = text('msg');
  const nick = text('nick') || shown(`${first} ${last}`);
  const aim = text('aim');
  const avatar = text('phsh').toLowerCase();
  const email = list('email');
  const jid = list('jid');
  const extensions = list('ext');
  const vc = text('vc');
  const calls = vc === '' ? [] : CALLS.flatMap(([letter, call]) => (vc.includes(letter) ? [call] : []));
  if (msg) claims.text = msg;
  if (nick) claims.nick = nick;
  if (first) claims.first = first;
  if (last) claims.last = last;
  if (email.length > 0) claims.email = email;
  if (jid.length > 0) claims.jid = jid;
  if (aim) claims.aim = aim;
  if (calls.length > 0) claims.calls = calls;
  if (node) claims.software = { node, ...(ver ? { version: ver } : {}), ...(hash ? { hash } : {}), ...(extensions.length > 0 ? { extensions } : {}) };
  // COMPAT(libpurple 2.14): sends node and ver without hash; then ver is a version, not a hash (XEP-0115 §5.4).
  if (node && hash && ver) claims.caps = { node, hash, ver };
  if (avatar.length === 40 && /^[0-9a-f]+$/.test(avatar)) claims.avatar = avatar;
  return claims;
}
