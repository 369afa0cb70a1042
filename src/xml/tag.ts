// One tag, from `<` to `>`, strictly.
import { Element, lookup, prefixOf } from './element.ts';
import { XmlFault } from './fault.ts';
import { decodeAttribute } from './text.ts';

const START = 'A-Za-z_\\u00C0-\\u00D6\\u00D8-\\u00F6\\u00F8-\\u02FF\\u0370-\\u037D\\u037F-\\u1FFF\\u200C\\u200D'
  + '\\u2070-\\u218F\\u2C00-\\u2FEF\\u3001-\\uD7FF\\uF900-\\uFDCF\\uFDF0-\\uFFFD';
const PAIR = '[\\uD800-\\uDB7F][\\uDC00-\\uDFFF]';
const NCNAME = `(?:[${START}]|${PAIR})(?:[${START}\\-.0-9\\u00B7\\u0300-\\u036F\\u203F\\u2040]|${PAIR})*`;
const S = '[ \\t\\r\\n]';

interface Grammar { readonly open: RegExp; readonly attribute: RegExp; readonly close: RegExp }

function grammar(ncname: string): Grammar {
  const name = `${ncname}(?::${ncname})?`;
  return {
    open: new RegExp(`<(${name})`, 'y'),
    attribute: new RegExp(`${S}+(${name})${S}*=${S}*(?:"([^<"]*)"|'([^<']*)')`, 'y'),
    close: new RegExp(`^</(${name})${S}*>$`),
  };
}

const ANY = grammar(NCNAME);
/** The same for a tag of nothing but ASCII, which nearly all are; a third of the time. */
const PLAIN = grammar('[A-Za-z_][A-Za-z_\\-.0-9]*');
const NOT_ASCII = /[^\0-\x7f]/; // oxlint-disable-line no-control-regex -- all of ASCII is meant
const TAIL = new RegExp(`${S}*(/?)>`, 'y');

function grammarOf(raw: string): Grammar {
  return NOT_ASCII.test(raw) ? ANY : PLAIN;
}

/** Per tag; no vocabulary in use has a third of them. */
const MAX_ATTRIBUTES = 64;
const MAX_NAME = 256;

function checkName(name: string): string {
  if (name.length > MAX_NAME) throw new XmlFault('policy-violation', `a name is longer than ${MAX_NAME} characters`);
  return name;
}

/** The name in `</name>`. */
export function parseCloseTag(raw: string): string {
  const name = grammarOf(raw).close.exec(raw)?.[1];
  if (name === undefined) throw new XmlFault('not-well-formed', 'malformed closing tag');
  return checkName(name);
}

/** `<name a="b">` or `<name/>`; the parent is where prefixes are looked up, it does not get the child. */
export function parseOpenTag(raw: string, parent: Element | null): { element: Element; empty: boolean } {
  const { open, attribute } = grammarOf(raw);
  open.lastIndex = 0;
  const name = open.exec(raw)?.[1];
  if (name === undefined) throw new XmlFault('not-well-formed', 'malformed tag');
  const element = new Element(checkName(name));
  element.parent = parent;

  let at = open.lastIndex;
  let count = 0;
  const prefixed: string[] = [];
  for (;;) {
    attribute.lastIndex = at;
    const found = attribute.exec(raw);
    if (!found) break;
    at = attribute.lastIndex;
    const key = checkName(found[1] ?? '');
    if (++count > MAX_ATTRIBUTES) throw new XmlFault('policy-violation', `more than ${MAX_ATTRIBUTES} attributes`);
    // Legal XML, but it would not survive a JavaScript object.
    if (key === '__proto__') throw new XmlFault('restricted-xml', 'attribute __proto__');
    if (Object.hasOwn(element.attrs, key)) throw new XmlFault('not-well-formed', 'duplicate attribute');
    element.attrs[key] = decodeAttribute(found[2] ?? found[3] ?? '');
    if (key.includes(':')) prefixed.push(key);
  }
  TAIL.lastIndex = at;
  const tail = TAIL.exec(raw);
  if (!tail || TAIL.lastIndex !== raw.length) throw new XmlFault('not-well-formed', 'malformed tag');
  checkPrefixes(element, prefixed);
  return { element, empty: tail[1] === '/' };
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
