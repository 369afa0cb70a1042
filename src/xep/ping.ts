// XEP-0199: XMPP Ping, version 2.0.1
import type { Dispatcher } from '../xmpp/dispatch.ts';
import { type Element, xml } from '../xmpp/element.ts';
import type { Extension } from '../xmpp/extension.ts';

export const NS_PING = 'urn:xmpp:ping';

export function createPing<C>(): Extension<C> {
  return {
    features: [NS_PING],
    attach(dispatcher: Dispatcher<C>): void {
      dispatcher.iq('get', NS_PING, 'ping', () => Promise.resolve(undefined));
    },
  };
}

export function buildPing(attrs: Readonly<Record<string, string>> = {}): Element {
  return xml('iq', { type: 'get', ...attrs }, xml('ping', { xmlns: NS_PING }));
}
