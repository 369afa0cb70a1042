// XEP-0174 v2.0.1 §3.1 and the registry in §15.1: what a peer says of itself in its TXT record.
// All of it is claimed, none of it proven.
import type { Peer, PeerStatus } from '../api.ts';
import { textFromBytes } from '../mdns/text.ts';
import type { Caps } from '../xep/caps.ts';

/** What a peer says of itself. */
export interface Claims extends Pick<Peer, 'status' | 'nick' | 'first' | 'last' | 'email' | 'jid' | 'aim' | 'calls' | 'software'> {
  readonly text?: string;
  readonly caps?: Caps;
  /** SHA-1 of its picture, hex. */
  readonly avatar?: string;
  /** Says it is a box like this one: TLS is then expected of it. */
  readonly box: boolean;
}

/** Our own key in the TXT record; its value is the version of what boxes speak among themselves. */
export const BOX_KEY = 'lanpost';
/** The data of the shortest record that says so. */
export const BOX_TEXT: string = `${String.fromCharCode(BOX_KEY.length)}${BOX_KEY}`;
/** Claimed text is shown to people: neither endless nor able to steer a terminal. */
const SHOWN_CHARACTERS = 256;
/** The letters of `vc`, in any order. */
const CALLS = [['A', 'audio'], ['V', 'video'], ['C', 'conference'], ['!', 'free']] as const;

const CAPITALS = [0x41, 0x5a] as const;
const EQUALS = 0x3d;
const SPACE = 0x20;
const TILDE = 0x7e;

/**
 * §3.1: nothing in it is needed. Keys that are not registered say nothing; of one that comes twice the first counts (RFC 6763 §6.4).
 * `data`: the record's, a character for each byte.
 *
 * A newcomer is told of when this is done, mostly from cold caches: so it is all in one.
 */
export function readClaims(data: string): Claims {
  let box = false;
  let status: string | undefined;
  let text: string | undefined;
  let nick: string | undefined;
  let first: string | undefined;
  let last: string | undefined;
  let node: string | undefined;
  let hash: string | undefined;
  let ver: string | undefined;
  let aim: string | undefined;
  let avatar: string | undefined;
  let email: string | undefined;
  let jid: string | undefined;
  let extensions: string | undefined;
  let vc: string | undefined;
  for (let at = 0; at < data.length;) {
    const start = at + 1;
    const end = start + data.charCodeAt(at);
    if (end > data.length) break;
    at = end;
    let equals = start;
    let isLower = true;
    for (; equals < end; equals++) {
      const code = data.charCodeAt(equals);
      if (code === EQUALS) break;
      isLower &&= code < CAPITALS[0] || code > CAPITALS[1];
    }
    // Most say nothing else than printable ASCII, and are shown as they are.
    let plain = data.charCodeAt(equals + 1) !== SPACE && data.charCodeAt(end - 1) !== SPACE;
    for (let each = equals + 1; each < end && plain; each++) {
      const code = data.charCodeAt(each);
      plain = code >= SPACE && code <= TILDE;
    }
    const value = equals + 1 >= end ? '' : plain ? data.slice(equals + 1, end) : shown(textFromBytes(data.slice(equals + 1, end)));
    const key = data.slice(start, equals);
    switch (isLower ? key : key.toLowerCase()) {
      case 'status': status ??= value; break;
      case 'msg': text ??= value; break;
      case 'nick': nick ??= value; break;
      case '1st': first ??= value; break;
      case 'last': last ??= value; break;
      case 'node': node ??= value; break;
      case 'hash': hash ??= value; break;
      case 'ver': ver ??= value; break;
      case 'aim': aim ??= value; break;
      case 'phsh': avatar ??= value; break;
      case 'email': email ??= value; break;
      case 'jid': jid ??= value; break;
      case 'ext': extensions ??= value; break;
      case 'vc': vc ??= value; break;
      case BOX_KEY: box = true; break;
      default: // says nothing here
    }
  }
  nick ||= named(first, last);
  const claims: { -readonly [K in keyof Claims]: Claims[K] } = { status: status === undefined ? 'available' : readStatus(status), box };
  if (text) claims.text = text;
  if (nick) claims.nick = nick;
  if (first) claims.first = first;
  if (last) claims.last = last;
  if (email) claims.email = words(email);
  if (jid) claims.jid = words(jid);
  if (aim) claims.aim = aim;
  if (vc) addCalls(claims, vc);
  if (node) {
    const software: { -readonly [K in keyof Software]: Software[K] } = { node };
    if (ver) software.version = ver;
    if (hash) software.hash = hash;
    if (extensions) software.extensions = words(extensions);
    claims.software = software;
    // COMPAT(libpurple 2.14): sends node and ver without hash; then ver is a version, not a hash (XEP-0115 §5.4).
    if (hash && ver) claims.caps = { node, hash, ver };
  }
  if (avatar?.length === 40 && /^[0-9a-f]+$/i.test(avatar)) claims.avatar = avatar.toLowerCase();
  return claims;
}

type Software = NonNullable<Claims['software']>;

function named(first = '', last = ''): string {
  return first === '' || last === '' ? first || last : `${first} ${last}`.slice(0, SHOWN_CHARACTERS).trim();
}

/** None of them empty; what has been shown neither begins nor ends with a space. */
const words = (text: string): string[] => text.split(' ').filter((one) => one !== '');

function addCalls(claims: { calls?: Claims['calls'] }, vc: string): void {
  const calls = CALLS.flatMap(([letter, call]) => (vc.includes(letter) ? [call] : []));
  if (calls.length > 0) claims.calls = calls;
}

function readStatus(value: string): PeerStatus {
  if (value === 'dnd') return 'dnd';
  // COMPAT: `xa` is not in the registry but is sent; absent or unknown means available.
  return value === 'away' || value === 'xa' ? 'away' : 'available';
}

const shown = (text: string): string => text.replace(/\p{Cc}+/gu, ' ').slice(0, SHOWN_CHARACTERS).trim();

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
