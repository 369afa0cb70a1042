// XEP-0092: Software Version, version 1.1
import type { Dispatcher } from '../xmpp/dispatch.ts';
import { xml } from '../xmpp/element.ts';
import type { Extension } from '../xmpp/extension.ts';

export const NS_VERSION = 'jabber:iq:version';

/** Says name and version; the operating system is nobody's business (§5). */
export function createVersion<C>(software: { readonly name: string; readonly version: string }): Extension<C> {
  return {
    features: [NS_VERSION],
    attach(dispatcher: Dispatcher<C>): void {
      dispatcher.iq('get', NS_VERSION, 'query', () => Promise.resolve(
        xml('query', { xmlns: NS_VERSION }, xml('name', {}, software.name), xml('version', {}, software.version)),
      ));
    },
  };
}
