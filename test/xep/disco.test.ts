import { describe, expect, test } from 'vitest';
import { Disco, NS_DISCO_INFO, NS_DISCO_ITEMS } from '../../src/xep/disco.ts';
import { createPing, NS_PING } from '../../src/xep/ping.ts';
import { createVersion, NS_VERSION } from '../../src/xep/version.ts';
import { Dispatcher } from '../../src/xmpp/dispatch.ts';
import { type Element, serialize, xml } from '../../src/xmpp/element.ts';

const ask = (ns: string, name: string, node?: string): Element =>
  xml('iq', { type: 'get', id: '1', from: 'b@h2', to: 'a@h1' }, xml(name, { xmlns: ns, ...(node === undefined ? {} : { node }) }));

function entity(): { disco: Disco; dispatcher: Dispatcher } {
  const dispatcher = new Dispatcher();
  const disco = new Disco({
    identities: [{ category: 'client', type: 'bot', name: 'lanpost' }],
    node: 'urn:lanpost:0',
  });
  disco.serve({
    info: node => Promise.resolve(node === 'plant' ? { identities: [{ category: 'pubsub', type: 'leaf' }], features: [] } : undefined),
    items: node => Promise.resolve(node === undefined ? { items: [{ jid: 'a@h1', node: 'plant' }] } : undefined),
  });
  for (const extension of [disco, createPing(), createVersion({ name: 'lanpost', version: '0.1.0' })]) {
    disco.add(extension.features);
    extension.attach(dispatcher);
  }
  return { disco, dispatcher };
}

describe('XEP-0030', () => {
  test('§3.1 info lists identities and every registered feature once', async () => {
    const { dispatcher } = entity();
    const query = (await dispatcher.dispatch(ask(NS_DISCO_INFO, 'query'), undefined))?.getChild('query');
    expect(query?.getChildren('identity').map(i => i.attrs)).toEqual([{ category: 'client', type: 'bot', name: 'lanpost' }]);
    const features = query?.getChildren('feature').map(f => String(f.attrs['var'])) ?? [];
    expect(features).toEqual(expect.arrayContaining([NS_DISCO_INFO, NS_DISCO_ITEMS, NS_PING, NS_VERSION]));
    expect(new Set(features).size).toBe(features.length);
  });

  test('§3.2 a node is answered with its name, an unknown one with item-not-found', async () => {
    const { dispatcher } = entity();
    const known = await dispatcher.dispatch(ask(NS_DISCO_INFO, 'query', 'plant'), undefined);
    expect(known?.getChild('query')?.attrs['node']).toBe('plant');
    const unknown = await dispatcher.dispatch(ask(NS_DISCO_INFO, 'query', 'nowhere'), undefined);
    expect(String(unknown)).toContain('item-not-found');
  });

  test('§4 items', async () => {
    const { dispatcher } = entity();
    const all = await dispatcher.dispatch(ask(NS_DISCO_ITEMS, 'query'), undefined);
    expect(all?.getChild('query')?.getChild('item')?.attrs).toEqual({ jid: 'a@h1', node: 'plant' });
    expect(String(await dispatcher.dispatch(ask(NS_DISCO_ITEMS, 'query', 'nowhere'), undefined))).toContain('item-not-found');
  });
});

describe('XEP-0115', () => {
  test('§6.2 asked about node#ver, the answer carries that node', async () => {
    const { disco, dispatcher } = entity();
    const { node, ver } = disco.caps();
    const reply = await dispatcher.dispatch(ask(NS_DISCO_INFO, 'query', `${node}#${ver}`), undefined);
    expect(reply?.getChild('query')?.attrs['node']).toBe(`${node}#${ver}`);
  });
});

test('XEP-0199 a ping is answered with an empty result', async () => {
  const reply = await entity().dispatcher.dispatch(ask(NS_PING, 'ping'), undefined);
  expect(reply && serialize(reply)).toBe("<iq type='result' id='1' to='b@h2' from='a@h1'/>");
});

test('XEP-0092 name and version are told, the operating system is not', async () => {
  const reply = await entity().dispatcher.dispatch(ask(NS_VERSION, 'query'), undefined);
  expect(reply?.getChild('query')?.children.map(String)).toEqual(['<name>lanpost</name>', '<version>0.1.0</version>']);
});
