// Serialisation that survives a parser: ltx's own writer leaves carriage returns, and tabs and line
// ends in attributes, for the reader to normalise away.
import { attr, lookup, prefixOf, type Element, type Node } from './element.ts';

const IN_TEXT = /[&<>\r]/g;
const IN_ATTRIBUTE = /[&<>"'\t\n\r]/g;
const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&apos;', '\t': '&#9;', '\n': '&#10;', '\r': '&#13;',
};

export function escapeText(text: string): string {
  return text.replace(IN_TEXT, (c) => ESCAPES[c] ?? c);
}

export function escapeAttribute(text: string): string {
  return text.replace(IN_ATTRIBUTE, (c) => ESCAPES[c] ?? c);
}

function openTag(element: Element): string {
  let out = `<${element.name}`;
  for (const key of Object.keys(element.attrs)) {
    const value = attr(element, key);
    if (value !== undefined) out += ` ${key}='${escapeAttribute(value)}'`;
  }
  return out;
}

/** The element as text, with the declarations it has itself. */
export function serialize(node: Node): string {
  if (typeof node === 'string') return escapeText(node);
  const inner = node.children.map((child) => serialize(typeof child === 'number' ? String(child) : child)).join('');
  return inner === '' ? `${openTag(node)}/>` : `${openTag(node)}>${inner}</${node.name}>`;
}

/** Only the opening tag, as a stream header needs it. */
export function serializeOpen(element: Element): string {
  return `${openTag(element)}>`;
}

/** The element as a document of its own: what it inherits from the elements around it is declared on it. */
export function serializeStandalone(element: Element): string {
  const missing = new Map<string, string>();
  const visit = (at: Element, declared: ReadonlySet<string>): void => {
    const here = new Set(declared);
    for (const key of Object.keys(at.attrs)) if (key === 'xmlns' || key.startsWith('xmlns:')) here.add(key);
    const used = [prefixOf(at.name), ...Object.keys(at.attrs).map(prefixOf).filter((prefix) => prefix !== undefined)];
    for (const prefix of used) {
      const key = prefix === undefined ? 'xmlns' : `xmlns:${prefix}`;
      if (prefix === 'xml' || prefix === 'xmlns' || here.has(key)) continue;
      const namespace = lookup(element, prefix);
      if (namespace !== undefined) missing.set(key, namespace);
    }
    for (const child of at.children) if (typeof child === 'object') visit(child, here);
  };
  visit(element, new Set());
  const text = serialize(element);
  if (missing.size === 0) return text;
  const declarations = [...missing].map(([key, value]) => ` ${key}='${escapeAttribute(value)}'`).join('');
  return `<${element.name}${declarations}${text.slice(element.name.length + 1)}`;
}
