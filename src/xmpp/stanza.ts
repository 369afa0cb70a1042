// Stanzas and the answers to them (RFC 6120 §8).
import { attr, children, Element, xml } from './element.ts';
import type { StanzaError } from './stanza-error.ts';

export type StanzaKind = 'message' | 'presence' | 'iq';

export function stanzaKind(element: Element): StanzaKind | undefined {
  const name = element.getName();
  return name === 'message' || name === 'presence' || name === 'iq' ? name : undefined;
}

/** RFC 6120 §8.2.3: the one payload of a request. */
export function iqPayload(iq: Element): Element | undefined {
  const all = children(iq);
  return all.length === 1 ? all[0] : undefined;
}

/** What an answer to it needs of it. */
export function withoutPayload(stanza: Element): Element {
  return xml(stanza.name, { id: attr(stanza, 'id'), from: attr(stanza, 'from'), to: attr(stanza, 'to') });
}

function answer(stanza: Element, type: 'result' | 'error'): Element {
  const reply = new Element(stanza.getName());
  reply.attrs['type'] = type;
  const [id, from, to] = [attr(stanza, 'id'), attr(stanza, 'from'), attr(stanza, 'to')];
  if (id !== undefined) reply.attrs['id'] = id;
  if (from !== undefined) reply.attrs['to'] = from;
  if (to !== undefined) reply.attrs['from'] = to;
  return reply;
}

export function iqResult(request: Element, payload?: Element): Element {
  const reply = answer(request, 'result');
  if (payload) reply.append(payload);
  return reply;
}

export function errorReply(stanza: Element, error: StanzaError): Element {
  const reply = answer(stanza, 'error');
  if (error.beside) reply.append(error.beside);
  reply.append(error.toElement());
  return reply;
}

export interface MessageParts {
  readonly to?: string;
  readonly from?: string;
  readonly id?: string;
  readonly type?: 'chat' | 'normal' | 'headline' | 'groupchat';
  readonly body?: string;
  readonly subject?: string;
  readonly thread?: string;
  readonly extensions?: readonly Element[];
}

export function buildMessage(parts: MessageParts): Element {
  const message = xml('message', {});
  for (const key of ['to', 'from', 'id', 'type'] as const) if (parts[key] !== undefined) message.attrs[key] = parts[key];
  for (const key of ['subject', 'body', 'thread'] as const) if (parts[key] !== undefined) message.append(xml(key, {}, parts[key]));
  message.append(...parts.extensions ?? []);
  return message;
}
