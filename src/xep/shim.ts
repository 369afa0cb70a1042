// XEP-0131: Stanza Headers and Internet Metadata, version 1.2
import { type Element, xml } from '../xml/element.ts';

export const NS_SHIM = 'http://jabber.org/protocol/shim';

export type Header = readonly [name: string, value: string];

export function headersElement(headers: readonly Header[]): Element | undefined {
  return headers.length === 0 ? undefined : xml('headers', { xmlns: NS_SHIM }, ...headers.map(([name, value]) => xml('header', { name }, value)));
}
