import { readFileSync } from 'node:fs';
import type { HomeOptions } from '../../../src/api.ts';
import { createRequest, itemsRequest, publishRequest } from '../../../src/home/node.ts';
import { recordsOf } from '../../../src/home/pack-element.ts';
import { toPayload } from '../../../src/payload/payload.ts';
import { payloadToElement } from '../../../src/payload/xml.ts';
import { serializeStandalone } from '../../../src/xml/serialize.ts';
import { attr, parseElement, xml, type Element } from '../../../src/xmpp/element.ts';
import { StanzaError } from '../../../src/xmpp/stanza-error.ts';
import { Bell } from '../../support/bell.ts';
import { createHomeServer } from '../../support/homes.ts';
import { startFakeHome } from '../fake-home.ts';
import { openReader, type Reader } from '../reader.ts';

const NS_ITEMS = 'http://jabber.org/protocol/disco#items';

/** A home, scripted or real, as somebody there sees it. */
export interface Upstream extends AsyncDisposable {
  readonly account: HomeOptions;
  readonly port: number;
  /** Record ids of what the node holds, in the order it has them, as often as it does. */
  records(node: string): Promise<string[]>;
  /** How many items it holds, cheaper to ask. */
  count(node: string): Promise<number>;
  /** From now on `arrivals` has the node of each item that came to one of these, in the order in which the home has them; they are made. */
  follow(...nodes: string[]): Promise<void>;
  readonly arrivals: readonly string[];
  /** Ms between two questions: to answer, Prosody reads the whole node, and does nothing else meanwhile. */
  readonly patience: number;
  /** What somebody else does there: publishes to a node that is made first if it is not there, deletes one with all it has. */
  publish(node: string, id: string, value: string): Promise<void>;
  deleteNode(node: string): Promise<void>;
  /** The server ends, and is there again with what it had. */
  end(): Promise<void>;
  begin(): Promise<void>;
}

export interface Scripted extends Upstream {
  nodes(): string[];
  /** It has never heard of the newest of them. */
  lose(node: string, count: number): void;
  /** `forbidden` is its answer to these. */
  refuse(which: (what: string) => boolean): void;
}

export async function scripted(): Promise<Scripted> {
  const bell = new Bell();
  let home = await startFakeHome(bell);
  return {
    account: home.account, patience: 40,
    get port() { return home.account.port; },
    records: (node) => Promise.resolve([...home.nodes.get(node) ?? []].flatMap(([id, element]) => recordsOf(xml('item', { id }, parseElement(serializeStandalone(element)))).map(({ recordId }) => recordId))),
    count: async (node) => home.nodes.get(node)?.size ?? 0,
    follow: async () => undefined,
    get arrivals() {
      return home.stanzas.flatMap((stanza) => {
        const publish = stanza.getChild('pubsub')?.getChild('publish');
        return publish ? [attr(publish, 'node') ?? ''] : [];
      });
    },
    nodes: () => [...home.nodes.keys()],
    lose(node, count) {
      for (const id of [...home.nodes.get(node)?.keys() ?? []].slice(-count)) home.nodes.get(node)?.delete(id);
    },
    refuse(which) { home.set.answer = (_iq, what) => (which(what) ? 'forbidden' : undefined); },
    publish: async (node, id, value) => home.publish(node, id, payloadToElement(toPayload(value))),
    deleteNode: async (node) => home.deleteNode(node),
    end: () => home.close(),
    async begin() {
      const { nodes } = home;
      home = await startFakeHome(bell);
      for (const [node, items] of nodes) home.nodes.set(node, items);
    },
    [Symbol.asyncDispose]: () => home.close(),
  };
}

export async function served(kind: 'prosody' | 'ejabberd'): Promise<Upstream> {
  const server = await createHomeServer(kind);
  await server.start();
  let reader: Reader | undefined;
  const arrivals: string[] = [];
  const open = async (): Promise<Reader> => (reader ??= await openReader(server, 'edge1', { told: (ids, node) => { arrivals.push(...ids.map(() => node)); } }));
  const request = async (iq: Element): Promise<Element> => (await open()).request(iq);
  const create = (node: string): Promise<unknown> => request(createRequest(server.service, node, { accessModel: 'open', maxItems: 'max' })).catch((error: unknown) => {
    if (!(error instanceof StanzaError && error.condition === 'conflict')) throw error; // it is there
  });
  /** Undefined where there is no such node yet. */
  const asked = (iq: Element): Promise<Element | undefined> => request(iq).catch((error: unknown) => {
    if (error instanceof StanzaError && error.condition === 'item-not-found') return undefined;
    throw error;
  });
  return {
    account: { ...server.account('edge1'), host: server.host, port: server.port, ca: readFileSync(server.ca, 'utf8') }, port: server.port, patience: 1_500,
    async records(node) {
      const iq = itemsRequest(server.service, node, []);
      iq.getChild('pubsub')?.getChild('items')?.setAttrs({ max_items: '100000' });
      const answer = await asked(iq);
      return (answer?.getChild('pubsub')?.getChild('items')?.getChildren('item') ?? []).flatMap((item) => recordsOf(item).map(({ recordId }) => recordId));
    },
    // XEP-0060 §5.5.
    async count(node) {
      const answer = await asked(xml('iq', { type: 'get', to: server.service }, xml('query', { xmlns: NS_ITEMS, node })));
      return answer?.getChild('query', NS_ITEMS)?.getChildren('item').length ?? 0;
    },
    async publish(node, id, value) {
      await create(node);
      await request(publishRequest(server.service, node, id, payloadToElement(toPayload(value))));
    },
    arrivals,
    async follow(...nodes) {
      for (const node of nodes) {
        await create(node);
        await (await open()).subscribe(node);
      }
    },
    async deleteNode(node) {
      await request(xml('iq', { type: 'set', to: server.service }, xml('pubsub', { xmlns: 'http://jabber.org/protocol/pubsub#owner' }, xml('delete', { node }))));
    },
    async end() {
      await reader?.[Symbol.asyncDispose]();
      reader = undefined;
      await server.kill();
    },
    begin: () => server.start(),
    async [Symbol.asyncDispose]() {
      await reader?.[Symbol.asyncDispose]();
      await server.down();
    },
  };
}
