// RFC 6120 §4.9: errors that end a stream.
import { children, namespaceOf, xml, type Element } from './element.ts';
import { ERROR_TEXT } from './stanza-error.ts';
import { NS_STREAM } from './xml-stream.ts';

export const NS_STREAMS = 'urn:ietf:params:xml:ns:xmpp-streams';

export interface StreamFault {
  readonly condition: string;
  readonly text?: string;
  readonly application?: string;
}

export function isStreamError(element: Element): boolean {
  return element.getName() === 'error' && namespaceOf(element) === NS_STREAM;
}

export function streamFaultOf(element: Element): StreamFault {
  let condition = 'undefined-condition';
  let text: string | undefined;
  let application: string | undefined;
  for (const child of children(element)) {
    if (namespaceOf(child) !== NS_STREAMS) application ??= child.getName();
    else if (child.getName() === 'text') text = child.getText().slice(0, ERROR_TEXT);
    else condition = child.getName();
  }
  return { condition, ...(text === undefined ? {} : { text }), ...(application === undefined ? {} : { application }) };
}

/** Declares the stream prefix itself, so that it can follow any header. */
export function streamError(condition: string, text?: string, application?: Element): Element {
  const error = xml('stream:error', { 'xmlns:stream': NS_STREAM }, xml(condition, { xmlns: NS_STREAMS }));
  if (text !== undefined) error.append(xml('text', { xmlns: NS_STREAMS }, text));
  if (application) error.append(application);
  return error;
}
