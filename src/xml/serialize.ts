// Serialisation that survives a parser: ltx's own writer leaves carriage returns, and tabs and line
// ends in attributes, for the reader to normalise away.
import { attr, lookup, prefixOf, type Element, type Node } from './element.ts';
import { Written } from './written.ts';

const IN_TEXT = /[&<>\r]/;
const ALL_IN_TEXT = new RegExp(IN_TEXT, 'g');
const ALL_IN_ATTRIBUTE = /[&<>"'\t\n\r]/g;
const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&apos;', '\t': '&#9;', '\n': '&#10;', '\r': '&#13;',
};

export function escapeText(text: string): string {
  return IN_TEXT.test(text) ? text.replace(ALL_IN_TEXT, (c) => ESCAPES[c] ?? c) : text;
}

export function escapeAttribute(text: string): string {
  return isBare(text) ? text : text.replace(ALL_IN_ATTRIBUTE, (c) => ESCAPES[c] ?? c);
}

/** Whether nothing in it is to be escaped in an attribute. By hand: most are short, and there are several in every stanza. */
function isBare(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    switch (text.charCodeAt(i)) {
      case 0x09: case 0x0a: case 0x0d: case 0x22: case 0x26: case 0x27: case 0x3c: case 0x3e: return false;
      default:
    }
  }
  return true;
}

function openTag(element: Element): string {
  let out = `<${element.name}`;
  for (const key in element.attrs) {
    const value = attr(element, key);
    if (value !== undefined) out += ` ${key}='${escapeAttribute(value)}'`;
  }
  return out;
}

/** The element as text, with the declarations it has itself. */
export function serialize(node: Node): string {
  if (typeof node === 'string') return escapeText(node);
  if (node instanceof Written) return node.written;
  let inner = '';
  for (const child of node.children) inner += serialize(typeof child === 'number' ? String(child) : child);
  return inner === '' ? `${openTag(node)}/>` : `${openTag(node)}>${inner}</${node.name}>`;
}

/** Only the opening tag, as a stream header needs it. */
export function serializeOpen(element: Element): string {
  return `${openTag(element)}>`;
}

/** Whether a name in it has a prefix; without, what the element declares itself is all it needs. */
function hasPrefix(element: Element): boolean {
  if (element.name.includes(':')) return true;
  for (const key in element.attrs) if (key.includes(':')) return true;
  return element.children.some((child) => typeof child === 'object' && hasPrefix(child));
}

/** The element as a document of its own: what it inherits from the elements around it is declared on it. */
export function serializeStandalone(element: Element): string {
  if (attr(element, 'xmlns') !== undefined && !hasPrefix(element)) return serialize(element);
  const missing = new Map<string, string>();
  // How often each is declared around here; a copy for each element would cost the square of a hostile stanza.
  const declared = new Map<string, number>();
  const count = (keys: readonly string[], by: 1 | -1): void => {
    for (const key of keys) declared.set(key, (declared.get(key) ?? 0) + by);
  };
  const visit = (at: Element): void => {
    const keys = Object.keys(at.attrs);
    const own = keys.filter((key) => key === 'xmlns' || key.startsWith('xmlns:'));
    count(own, 1);
    for (const prefix of new Set([prefixOf(at.name), ...keys.map(prefixOf).filter((found) => found !== undefined)])) {
      const key = prefix === undefined ? 'xmlns' : `xmlns:${prefix}`;
      if (prefix === 'xml' || prefix === 'xmlns' || (declared.get(key) ?? 0) > 0 || missing.has(key)) continue;
      const namespace = lookup(element, prefix);
      if (namespace !== undefined) missing.set(key, namespace);
    }
    for (const child of at.children) if (typeof child === 'object') visit(child);
    count(own, -1);
  };
  visit(element);
  const text = serialize(element);
  if (missing.size === 0) return text;
  const declarations = [...missing].map(([key, value]) => ` ${key}='${escapeAttribute(value)}'`).join('');
  return `<${element.name}${declarations}${text.slice(element.name.length + 1)}`;
}
