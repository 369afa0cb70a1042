// RFC 6121 §5.2: body, subject and thread of a message, and what XEP-0174 peers make of them.
import { NS_LANPOST } from '../payload/xml.ts';
import { type Element, children, namespaceOf, xml } from '../xmpp/element.ts';

export const NS_XHTML = 'http://www.w3.org/1999/xhtml';
export const NS_EVENT = 'jabber:x:event';

export interface MessageBody {
  readonly body: string;
  readonly subject?: string;
  readonly thread?: string;
}

const child = (element: Element, name: string): Element | undefined =>
  children(element).find(found => found.name === name && namespaceOf(found) === namespaceOf(element));

/**
 * What a message says, or nothing when it is only about one (a chat state, an event). `body` goes
 * before its HTML: libpurple leaves the HTML empty when it cannot parse what was typed. Of a box, which
 * numbers what it sends, an empty text is a text: it says itself that the other has it.
 */
export function readMessage(element: Element): MessageBody | undefined {
  const body = child(element, 'body')?.getText() ?? textOf(htmlOf(element));
  if (body === undefined || (body === '' && !isLetter(element))) return undefined;
  const subject = child(element, 'subject')?.getText();
  const thread = child(element, 'thread')?.getText();
  return { body, ...(subject ? { subject } : {}), ...(thread ? { thread } : {}) };
}

function isLetter(element: Element): boolean {
  return children(element).some(found => found.name === 'record' && namespaceOf(found) === NS_LANPOST);
}

/** XEP-0022: an event with an id is about an earlier message, and without a body no message itself. */
export function isEvent(element: Element): boolean {
  return children(element).some(found => found.name === 'x' && namespaceOf(found) === NS_EVENT
    && children(found).some(inner => inner.name === 'id')) && child(element, 'body') === undefined;
}

/**
 * COMPAT(libpurple 2.14): hands a plain body to its window as HTML, unescaped, so `<b>` turns bold
 * and `a<b` loses its end. It prefers html/body/font when there is one.
 */
export function withHtml(message: Element): Element {
  const text = child(message, 'body')?.getText() ?? '';
  if (!/[<&]/.test(text) || htmlOf(message)) return message;
  const html = xml('html', { xmlns: NS_XHTML }, xml('body', {}, xml('font', {}, text)));
  return xml(message.name, { ...message.attrs }, ...message.children, html);
}

function htmlOf(element: Element): Element | undefined {
  return children(element).find(found => found.name === 'html' && namespaceOf(found) === NS_XHTML);
}

function textOf(element: Element | undefined): string | undefined {
  if (!element) return undefined;
  return element.children.map(node => (typeof node === 'object' ? breakBefore(node) + (textOf(node) ?? '') : node)).join('');
}

const breakBefore = (element: Element): string => (element.name === 'br' ? '\n' : '');
