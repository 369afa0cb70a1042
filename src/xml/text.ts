import { XmlFault } from './fault.ts';

// XML 1.0 §2.2 Char. U+FFFE, U+FFFF and lone surrogates are no characters either.
const ILLEGAL = /[\0-\x08\x0B\x0C\x0E-\x1F\uFFFE\uFFFF]/; // oxlint-disable-line no-control-regex -- these are the ones to find
const ALL_ILLEGAL = new RegExp(ILLEGAL, 'g');
const ENTITY = /&(?:(amp|lt|gt|quot|apos)|#([0-9]{1,8})|#x([0-9A-Fa-f]{1,8})|([A-Za-z_:][\w:.-]*));|&/g;
const NAMED: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

const AMPERSAND = 38, LESS = 60;

/** Whether the text can be said in XML at all. */
export function isLegal(text: string): boolean {
  return text.isWellFormed() && !ILLEGAL.test(text);
}

/** The text with what XML cannot say replaced: for words, not for what must arrive as it is. */
export function legalText(text: string): string {
  return isLegal(text) ? text : text.toWellFormed().replaceAll(ALL_ILLEGAL, '\uFFFD');
}

export function hasIllegal(text: string): boolean {
  return ILLEGAL.test(text);
}

function codePoint(code: number): string {
  const legal = code === 0x9 || code === 0xa || code === 0xd || (code >= 0x20 && code <= 0xd7ff)
    || (code >= 0xe000 && code <= 0xfffd) || (code >= 0x10000 && code <= 0x10ffff);
  if (!legal) throw new XmlFault('not-well-formed', 'character reference to no XML character');
  return String.fromCodePoint(code);
}

function decodeEntities(text: string): string {
  return text.replace(ENTITY, (_all, named?: string, decimal?: string, hex?: string, other?: string) => {
    if (named !== undefined) return NAMED[named] ?? '';
    if (decimal !== undefined) return codePoint(Number.parseInt(decimal, 10));
    if (hex !== undefined) return codePoint(Number.parseInt(hex, 16));
    // RFC 6120 §11.1: entity references other than the five predefined ones are prohibited.
    if (other !== undefined) throw new XmlFault('restricted-xml', `entity reference &${other.slice(0, 32)};`);
    throw new XmlFault('not-well-formed', 'bare ampersand');
  });
}

/** Shorter texts V8 always copies. */
const SHORTEST_CUT = 13;

/**
 * The text by itself. A text that is cut from another keeps all of that in memory: an id of 20 characters the
 * whole tag, or the whole read, that it came in. Joined with something and cut again it keeps no more than itself.
 */
export function ownText(text: string): string {
  return text.length < SHORTEST_CUT ? text : (' ' + text).slice(1);
}

export function decodeText(raw: string): string {
  if (raw.includes(']]>')) throw new XmlFault('not-well-formed', ']]> in text');
  const text = normaliseLines(raw);
  return text.includes('&') ? decodeEntities(text) : ownText(text);
}

/** XML 1.0 §2.11: a literal carriage return never reaches the application. */
export function normaliseLines(raw: string): string {
  return raw.includes('\r') ? raw.replace(/\r\n?/g, '\n') : raw;
}

/** Whether it reads as it is written: no white space but blanks, no `&`, and no `<`. In one look: most values are short. */
export function isPlain(raw: string): boolean {
  for (let i = 0; i < raw.length; i++) {
    const c = raw.charCodeAt(i);
    if (c < 32 || c === AMPERSAND || c === LESS) return false;
  }
  return true;
}

/** XML 1.0 §3.3.3: literal white space in an attribute value reads as spaces. */
export function decodeAttribute(raw: string): string {
  const text = /[\t\n\r]/.test(raw) ? raw.replace(/\r\n|[\t\n\r]/g, ' ') : raw;
  return text.includes('&') ? decodeEntities(text) : ownText(text);
}
