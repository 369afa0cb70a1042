// A person's own look at a node of a home: an independent session with the account's password.
import { readFileSync } from 'node:fs';
import { createSystemClock } from '../../src/clock.ts';
import { readEvent } from '../../src/home/down/event.ts';
import { subscribeRequest } from '../../src/home/down/request.ts';
import { negotiate } from '../../src/home/negotiate.ts';
import { itemsRequest, NS_PUBSUB } from '../../src/home/node.ts';
import { HomeSession, SESSION_TIMING } from '../../src/home/session.ts';
import { elementToPayload } from '../../src/payload/xml.ts';
import { fromPayload } from '../../src/payload/payload.ts';
import { attr, children, xml, type Element } from '../../src/xmpp/element.ts';
import { parseJid } from '../../src/xmpp/jid.ts';
import type { HomeServer } from '../support/homes.ts';

export interface StoredItem { readonly id: string; readonly recordId: string | undefined; readonly seq: number; readonly value: unknown }

export interface Reader extends AsyncDisposable {
  /** Its full JID. */
  readonly jid: string;
  request(iq: Element): Promise<Element>;
  send(stanza: Element): void;
  items(node: string, ids?: readonly string[]): Promise<StoredItem[]>;
  subscribe(node: string): Promise<void>;
}

export async function openReader(server: HomeServer, account: 'edge1' | 'edge2' | 'viewer' = 'edge1', { events, told, messages }: {
  /** How many items were told of. */
  readonly events?: (count: number) => void;
  /** And which of a node, by their ids, in order. */
  readonly told?: (ids: readonly string[], node: string) => void;
  /** Takes every message that is none of a node. */
  readonly messages?: (message: Element) => void;
} = {}): Promise<Reader> {
  const clock = createSystemClock();
  const { jid, password } = server.account(account);
  const address = parseJid(jid);
  if (!address) throw new Error(jid);
  const negotiated = await negotiate({
    jid: address, password, resource: `reader-${process.pid}`, host: server.host, port: server.port, ca: readFileSync(server.ca, 'utf8'),
    clock, deadline: 15_000, stanzaBytes: 64 << 20, onClose: () => session.end(), signal: new AbortController().signal,
  });
  const session: HomeSession = new HomeSession({ clock, jid: negotiated.bound ?? jid, managed: true, timing: SESSION_TIMING, trouble: () => undefined,
    ...(events ?? told ? { events: (stanza: Element) => {
      for (const { node, changes } of readEvent(stanza) ?? []) {
        const items = changes.flatMap((change) => (change.kind === 'item' ? [attr(change.item, 'id') ?? ''] : []));
        events?.(items.length);
        told?.(items, node);
      }
      return undefined;
    } } : {}),
    ...(messages ? { receive: async (stanza: Element) => {
      if (stanza.name === 'message') messages(stanza);
      return undefined;
    } } : {}),
  });
  session.attach(negotiated.socket);
  negotiated.arrivals.handOver(session.receive);
  const parse = (answer: Element): StoredItem[] => (answer.getChild('pubsub', NS_PUBSUB)?.getChild('items')?.getChildren('item') ?? []).map((item) => {
    const record = item.getChild('record', 'urn:lanpost:0');
    const payload = record && children(record)[0];
    return { id: attr(item, 'id') ?? '', recordId: record && attr(record, 'id'), seq: Number(record && attr(record, 'seq')), value: payload && fromPayload(elementToPayload(payload)) };
  });
  return {
    jid: session.jid,
    request: (iq) => session.iq.request(iq),
    send: (stanza) => session.send(stanza),
    async items(node, ids) {
      const iq = itemsRequest(server.service, node, ids ?? []);
      if (!ids) iq.getChild('pubsub')?.getChild('items')?.setAttrs({ max_items: '100000' });
      return parse(await session.iq.request(iq));
    },
    async subscribe(node) {
      await session.iq.request(subscribeRequest(server.service, node, session.jid));
    },
    async [Symbol.asyncDispose]() {
      session.send(xml('presence', { type: 'unavailable' }));
      await negotiated.socket.close();
    },
  };
}
