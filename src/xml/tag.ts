// One tag, from `<` to `>`, strictly.
import { Element, lookup, prefixOf } from './element.ts';
import { XmlFault } from './fault.ts';
import { decodeAttribute, isPlain, ownText } from './text.ts';

const START = 'A-Za-z_\\u00C0-\\u00D6\\u00D8-\\u00F6\\u00F8-\\u02FF\\u0370-\\u037D\\u037F-\\u1FFF\\u200C\\u200D'
  + '\\u2070-\\u218F\\u2C00-\\u2FEF\\u3001-\\uD7FF\\uF900-\\uFDCF\\uFDF0-\\uFFFD';
const PAIR = '[\\uD800-\\uDB7F][\\uDC00-\\uDFFF]';
const NCNAME = `(?:[${START}]|${PAIR})(?:[${START}\\-.0-9\\u00B7\\u0300-\\u036F\\u203F\\u2040]|${PAIR})*`;
/** For names that are not all ASCII; sticky. */
const NAME = new RegExp(`${NCNAME}(?::${NCNAME})?`, 'y');

const GT = 62, SLASH = 47, EQUALS = 61, COLON = 58, QUOTE = 34, APOSTROPHE = 39;
const START_CHAR = 1, NAME_CHAR = 2, SPACE = 4;
/** What an ASCII character may be. */
const CLASSES: Uint8Array = Uint8Array.from({ length: 128 }, (_, code) => {
  const c = String.fromCharCode(code);
  return (/[A-Za-z_]/.test(c) ? START_CHAR | NAME_CHAR : 0) | (/[-.0-9]/.test(c) ? NAME_CHAR : 0) | (/[ \t\r\n]/.test(c) ? SPACE : 0);
});

function is(code: number, what: number): boolean {
  return code < 128 && (CLASSES[code]! & what) !== 0;
}

/** Where the name that begins at `at` ends; `at` itself when none does. By hand: a regular expression takes three times as long. */
function nameEnd(raw: string, at: number): number {
  let end = at;
  let colon = false;
  let wanted = START_CHAR;
  for (;;) {
    const c = raw.charCodeAt(end);
    if (c >= 128) {
      NAME.lastIndex = at;
      return NAME.test(raw) ? NAME.lastIndex : at;
    }
    if (is(c, wanted)) {
      wanted = NAME_CHAR;
      end++;
    } else if (c === COLON && !colon && wanted === NAME_CHAR) {
      colon = true;
      wanted = START_CHAR;
      end++;
    } else return wanted === START_CHAR && end > at ? end - 1 : end;
  }
}

function skipSpace(raw: string, at: number): number {
  let end = at;
  while (is(raw.charCodeAt(end), SPACE)) end++;
  return end;
}

/** Per tag; no vocabulary in use has a third of them. */
const MAX_ATTRIBUTES = 64;
const MAX_NAME = 256;

function checkName(name: string): string {
  if (name.length > MAX_NAME) throw new XmlFault('policy-violation', `a name is longer than ${MAX_NAME} characters`);
  return name;
}

function malformed(what: string): never {
  throw new XmlFault('not-well-formed', `malformed ${what}`);
}

/** Whether it is `</name>`, as nearly every closing tag is written. */
export function isCloseTagOf(raw: string, name: string): boolean {
  return raw.length === name.length + 3 && raw.startsWith(name, 2);
}

/** The name in `</name>`. */
export function parseCloseTag(raw: string): string {
  const end = nameEnd(raw, 2);
  if (end === 2 || skipSpace(raw, end) !== raw.length - 1) malformed('closing tag');
  return checkName(raw.slice(2, end));
}

/** `<name a="b">` or `<name/>`; the parent is where prefixes are looked up, it does not get the child. */
export function parseOpenTag(raw: string, parent: Element | null): { element: Element; empty: boolean } {
  let at = nameEnd(raw, 1);
  if (at === 1) malformed('tag');
  const element = new Element(checkName(raw.slice(1, at)));
  element.parent = parent;

  const prefixed: string[] = [];
  for (let count = 1; ; count++) {
    const from = skipSpace(raw, at);
    const c = raw.charCodeAt(from);
    if (c === SLASH || c === GT) {
      at = from;
      break;
    }
    if (from === at) malformed('tag');
    at = nameEnd(raw, from);
    if (at === from) malformed('tag');
    const key = raw.slice(from, at);
    at = skipSpace(raw, at);
    if (raw.charCodeAt(at) !== EQUALS) malformed('tag');
    at = skipSpace(raw, at + 1);
    const quote = raw.charCodeAt(at);
    const end = quote === QUOTE ? raw.indexOf('"', at + 1) : quote === APOSTROPHE ? raw.indexOf("'", at + 1) : -1;
    if (end < 0) malformed('tag');
    const value = raw.slice(at + 1, end);
    at = end + 1;
    setAttribute(element, checkName(key), value, count);
    if (key.includes(':')) prefixed.push(key);
  }
  const empty = raw.charCodeAt(at) === SLASH;
  if (raw.charCodeAt(empty ? ++at : at) !== GT || at !== raw.length - 1) malformed('tag');
  checkPrefixes(element, prefixed);
  return { element, empty };
}

function setAttribute(element: Element, key: string, value: string, count: number): void {
  const isPlainValue = isPlain(value);
  if (!isPlainValue && value.includes('<')) malformed('tag');
  if (count > MAX_ATTRIBUTES) throw new XmlFault('policy-violation', `more than ${MAX_ATTRIBUTES} attributes`);
  // Legal XML, but it would not survive a JavaScript object.
  if (key === '__proto__') throw new XmlFault('restricted-xml', 'attribute __proto__');
  if (Object.hasOwn(element.attrs, key)) throw new XmlFault('not-well-formed', 'duplicate attribute');
  element.attrs[key] = isPlainValue ? ownText(value) : decodeAttribute(value);
}

/** Namespaces in XML 1.0: every prefix declared, none undeclared, no attribute twice by expanded name. */
function checkPrefixes(element: Element, attributes: readonly string[]): void {
  const own = prefixOf(element.name);
  if (own !== undefined) resolve(element, own);
  let expanded: Set<string> | undefined;
  for (const key of attributes) {
    const prefix = prefixOf(key) ?? '';
    const local = key.slice(prefix.length + 1);
    if (prefix === 'xmlns') {
      if (element.attrs[key] === '' || local === 'xmlns' || local === 'xml') throw new XmlFault('not-well-formed', 'bad namespace declaration');
      continue;
    }
    if (prefix === 'xml') continue;
    const name = `${resolve(element, prefix)} ${local}`;
    expanded ??= new Set();
    if (expanded.has(name)) throw new XmlFault('not-well-formed', 'duplicate attribute');
    expanded.add(name);
  }
}

function resolve(element: Element, prefix: string): string {
  const namespace = prefix === 'xmlns' ? undefined : lookup(element, prefix);
  if (namespace === undefined) throw new XmlFault('not-well-formed', `undeclared prefix ${prefix.slice(0, 32)}`);
  return namespace;
}
