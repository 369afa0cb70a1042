// The one element type of the house: @xmpp/xml's (ltx). Its parser is not used: it is quadratic in
// the length of a text that arrives in many chunks and accepts a good deal that is not XML.
import { Element } from '@xmpp/xml';

export { Element };
export type Node = Element | string;

/**
 * An element with what is not undefined of its attributes and children. Not `@xmpp/xml`'s own builder: that
 * one deletes from the object of attributes it is given, which makes every such object a slow one.
 */
export function xml(name: string, attrs: Readonly<Record<string, string | number | undefined>> = {}, ...nodes: readonly (Node | undefined)[]): Element {
  const element = new Element(name);
  for (const key in attrs) {
    const value = attrs[key];
    if (value !== undefined) element.attrs[key] = String(value);
  }
  for (const node of nodes) if (node !== undefined && node !== '') element.append(node);
  return element;
}

/** An attribute as text; ltx types them as anything. What every object inherits is neither text nor a number. */
export function attr(element: Element, name: string): string | undefined {
  const value: unknown = element.attrs[name];
  return typeof value === 'string' ? value : typeof value === 'number' ? String(value) : undefined;
}

export function children(element: Element): Element[] {
  return element.children.filter((child) => typeof child !== 'string');
}

export function prefixOf(name: string): string | undefined {
  const colon = name.indexOf(':');
  return colon < 0 ? undefined : name.slice(0, colon);
}

/** What a prefix (or none) is bound to here; unlike ltx's findNS, `xmlns=""` undeclares. */
export function lookup(element: Element, prefix?: string): string | undefined {
  if (prefix === 'xml') return 'http://www.w3.org/XML/1998/namespace';
  const declaration = prefix === undefined ? 'xmlns' : `xmlns:${prefix}`;
  for (let at: Element | null = element; at; at = at.parent) {
    const value = attr(at, declaration);
    if (value !== undefined) return value === '' ? undefined : value;
  }
  return undefined;
}

export function namespaceOf(element: Element): string | undefined {
  return lookup(element, prefixOf(element.name));
}
