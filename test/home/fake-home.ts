// A home that does as it is told: real sockets, real TLS, real SCRAM, and a pubsub service in memory.
import { randomBytes } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer as createTlsServer, type TLSSocketOptions } from 'node:tls';
import { createSystemClock } from '../../src/clock.ts';
import { serializeStandalone } from '../../src/xml/serialize.ts';
import { attr, children, parseElement, xml, type Element } from '../../src/xmpp/element.ts';
import { StanzaError, type Condition } from '../../src/xmpp/stanza-error.ts';
import { errorReply, iqResult } from '../../src/xmpp/stanza.ts';
import { XmppSocket } from '../../src/xmpp/xmpp-socket.ts';
import type { Bell } from '../support/bell.ts';
import { ScramServer } from './scram-server.ts';

export const DOMAIN = 'home.test';
/** Its certificate is for this one, too. */
const OTHER_DOMAIN = 'hub.test';
const SASL = 'urn:ietf:params:xml:ns:xmpp-sasl';
const SM = 'urn:xmpp:sm:3';
const INFO = 'http://jabber.org/protocol/disco#info';
export const PEP = 'pep:';

export interface FakeHome {
  /** Where TLS begins at once. */
  readonly tlsPort: number;
  readonly account: { jid: string; password: string; host: string; port: number; ca: string };
  /** Stanzas that came, in order, over all connections. */
  readonly stanzas: Element[];
  /** Node → item id → payload, as stored. */
  readonly nodes: Map<string, Map<string, Element>>;
  /** Settings, to be changed while it runs. */
  readonly set: {
    /** The account's, as it is there; a change ends no session. */
    password: string;
    /** It speaks with nobody from this address, as after too many wrong passwords. */
    banned: boolean;
    /** Of TLS on the next connections. */
    tls: TLSSocketOptions;
    /** Whether it binds logins to their connection, also when what it offers does not say so. */
    binds: boolean;
    starttls: boolean; mechanisms: string[]; bindings: string[]; signature: 'right' | 'wrong' | 'none'; sm: boolean; resumable: boolean;
    /** Gives an error for a request, or `silence`, or nothing to let it pass. */
    answer: (iq: Element, what: string, node: string) => StanzaError | Condition | Element | 'silence' | undefined;
    /** Whether `<r/>` is answered. */
    acks: boolean;
    /** The `h` it says when a session is taken up again, or is not. */
    resumedH: ((h: number) => string) | undefined;
    failedH: boolean;
    /** It does what it is asked, and its answers are lost, on this connection and the next. */
    forgets: boolean;
    /** It takes a session up, and does nothing of what is said on it then. */
    deaf: boolean;
    iterations: number;
    /** What its nodes say that they keep; they keep all. */
    maxItems: string;
    /** Whether the account has a pubsub service of its own; its nodes are those that begin with `PEP`. */
    pep: boolean;
    /** Called before a stanza is handled; may cut the connection, or `drop` the stanza. */
    before: (stanza: Element) => 'drop' | void;
    /** Called for everything that comes, also what is no stanza; may cut the connection. */
    wire: (element: Element) => void;
  };
  sessions: number;
  resumed: number;
  /** The last `h` that the box said, and all it said at logins. */
  h: number;
  logins: number;
  /** Mechanism and what the client said of channel binding, of each login. */
  readonly saidOfBinding: string[];
  /** Node → who is subscribed to it, by full JID. */
  readonly subscribers: Map<string, Set<string>>;
  /** What somebody else does at the service: publishes an item, retracts it, empties or deletes the node. */
  publish(node: string, id: string, ...payload: Element[]): void;
  retract(node: string, id: string): void;
  purge(node: string): void;
  deleteNode(node: string): void;
  /** Sends to the connection there is. */
  send(element: Element | string): void;
  /** Sends a stanza, counted, and again until the box has it. */
  say(element: Element): void;
  /** The path dies without a word. */
  cut(): void;
  /** It takes what comes and says nothing more, on the connections there are. */
  freeze(): void;
  close(): Promise<void>;
}

let files: { key: string; cert: string } | undefined;

/** Of the home, in its own name and that of this machine. */
export function certificate(): { key: string; cert: string } {
  if (files) return files;
  const dir = mkdtempSync(join(tmpdir(), 'lanpost-fake-'));
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', `/CN=${DOMAIN}`,
    '-addext', `subjectAltName=DNS:${DOMAIN},DNS:${OTHER_DOMAIN},DNS:localhost`, '-keyout', join(dir, 'key'), '-out', join(dir, 'cert')], { stdio: 'ignore' });
  files = { key: readFileSync(join(dir, 'key'), 'utf8'), cert: readFileSync(join(dir, 'cert'), 'utf8') };
  rmSync(dir, { recursive: true });
  return files;
}

/** Rings for whatever comes to it. */
export async function startFakeHome(bell: Bell, domain: string = DOMAIN): Promise<FakeHome> {
  const { key, cert } = certificate();
  const clock = createSystemClock();
  const raw = new Set<Socket>();
  const frozen = new WeakSet<Socket>();
  let current: XmppSocket | undefined;
  let session = { id: '', h: 0, out: 0, unacked: [] as Element[] };
  const set: FakeHome['set'] = {
    password: 'secret', banned: false, tls: {}, binds: false, starttls: true, mechanisms: ['SCRAM-SHA-256'], bindings: [], signature: 'right', sm: true, resumable: true, answer: () => undefined, before: () => undefined,
    wire: () => undefined, acks: true, resumedH: undefined, failedH: false, forgets: false, deaf: false, iterations: 4096, maxItems: 'max', pep: false,
  };
  const taken = (socket: Socket): void => {
    raw.add(socket);
    socket.on('close', () => {
      raw.delete(socket);
      bell.ring();
    });
  };
  const server = createServer((socket) => {
    taken(socket);
    serve(socket);
  });
  const direct = createTlsServer({ key, cert, ALPNProtocols: ['xmpp-client'] }, (socket) => serve(socket)).on('connection', taken);
  for (const one of [server, direct]) {
    one.listen(0, '127.0.0.1');
    await once(one, 'listening');
  }

  const home: FakeHome = {
    account: { jid: `box@${domain}`, password: 'secret', host: '127.0.0.1', port: (server.address() as AddressInfo).port, ca: cert },
    tlsPort: (direct.address() as AddressInfo).port,
    stanzas: [], nodes: new Map(), subscribers: new Map(), set,
    publish(node, id, ...payload) {
      const items = home.nodes.get(node) ?? new Map<string, Element>();
      home.nodes.set(node, items);
      const [element] = payload;
      if (element) items.set(id, element);
      notify(node, xml('items', { node }, xml('item', { id }, ...payload)));
    },
    retract(node, id) {
      home.nodes.get(node)?.delete(id);
      notify(node, xml('items', { node }, xml('retract', { id })));
    },
    purge(node) {
      home.nodes.get(node)?.clear();
      notify(node, xml('purge', { node }));
    },
    deleteNode(node) {
      home.nodes.delete(node);
      notify(node, xml('delete', { node }));
      home.subscribers.delete(node);
    },
    sessions: 0, resumed: 0, h: 0, logins: 0, saidOfBinding: [],
    send: (element) => { current?.write(element); },
    say: (element) => {
      session.unacked.push(element);
      current?.write(element);
    },
    cut: () => { for (const socket of raw) socket.destroy(); },
    freeze: () => { for (const socket of raw) frozen.add(socket); },
    async close() {
      for (const socket of raw) socket.destroy();
      for (const one of [server, direct]) {
        one.close();
        await once(one, 'close');
      }
    },
  };

  /** By full JID, the connection it has. */
  const connections = new Map<string, (element: Element) => void>();
  function notify(node: string, what: Element): void {
    for (const jid of home.subscribers.get(node) ?? []) {
      connections.get(jid)?.(xml('message', { from: `pubsub.${domain}`, to: jid, type: 'headline' }, xml('event', { xmlns: 'http://jabber.org/protocol/pubsub#event' }, parseElement(serializeStandalone(what)))));
    }
    bell.ring();
  }

  function serve(socket: Socket): void {
    let authenticated = false;
    let managed = false;
    let scram: ScramServer | undefined;
    const reply = (element: Element): void => {
      if (set.forgets) return;
      if (managed) session.unacked.push(element);
      wire.write(element);
      // As servers do, lest what is kept piles up.
      if (managed && session.unacked.length % 1_000 === 0) wire.write(xml('r', { xmlns: SM }));
    };
    const wire: XmppSocket = new XmppSocket({ socket, clock, on: { header, stanza: (element) => { stanza(element); bell.ring(); }, close: () => undefined } });

    function header(): void {
      wire.open(xml('stream:stream', { xmlns: 'jabber:client', 'xmlns:stream': 'http://etherx.jabber.org/streams', version: '1.0', id: '1', from: domain }));
      if (set.banned) return void wire.fail('policy-violation', 'too many failures');
      const features = xml('stream:features', { 'xmlns:stream': 'http://etherx.jabber.org/streams' });
      if (!wire.secured && set.starttls) features.append(xml('starttls', { xmlns: 'urn:ietf:params:xml:ns:xmpp-tls' }));
      if (!authenticated && (wire.secured || !set.starttls)) features.append(xml('mechanisms', { xmlns: SASL }, ...set.mechanisms.map((name) => xml('mechanism', {}, name))));
      if (!authenticated && set.bindings.length > 0) features.append(xml('sasl-channel-binding', { xmlns: 'urn:xmpp:sasl-cb:0' }, ...set.bindings.map((type) => xml('channel-binding', { type }))));
      if (authenticated) features.append(xml('bind', { xmlns: 'urn:ietf:params:xml:ns:xmpp-bind' }), ...(set.sm ? [xml('sm', { xmlns: SM })] : []));
      wire.write(features);
    }

    function stanza(element: Element): void {
      if (frozen.has(socket)) return;
      set.wire(element);
      if (socket.destroyed) return;
      switch (element.getName()) {
        case 'starttls':
          wire.write(xml('proceed', { xmlns: 'urn:ietf:params:xml:ns:xmpp-tls' }));
          wire.secure('server', { key, cert, ...set.tls }).catch(() => undefined);
          return;
        case 'auth': {
          home.logins++;
          const mechanism = attr(element, 'mechanism') ?? '';
          scram = new ScramServer(Buffer.from(element.getText(), 'base64').toString(), {
            password: set.password, iterations: set.iterations, tls: wire.secured, cert, plus: mechanism.endsWith('-PLUS'), binds: set.binds,
          });
          home.saidOfBinding.push(`${mechanism} ${scram.flag}`);
          wire.write(xml('challenge', { xmlns: SASL }, Buffer.from(scram.challenge()).toString('base64')));
          return;
        }
        case 'response': finish(Buffer.from(element.getText(), 'base64').toString()); return;
        case 'resume':
          if (!set.resumable || attr(element, 'previd') !== session.id) {
            wire.write(xml('failed', { xmlns: SM, ...(set.failedH ? { h: String(session.h) } : {}) }));
            return;
          }
          home.h = Number(attr(element, 'h'));
          home.resumed++;
          managed = true;
          current = wire;
          for (const jid of connections.keys()) connections.set(jid, reply);
          if (set.resumedH) return void wire.write(xml('resumed', { xmlns: SM, previd: session.id, h: set.resumedH(session.h) }));
          session.unacked = session.unacked.slice(Number(attr(element, 'h')) - session.out);
          session.out = Number(attr(element, 'h'));
          wire.write(xml('resumed', { xmlns: SM, previd: session.id, h: String(session.h) }));
          for (const again of session.unacked) wire.write(again);
          if (set.deaf) frozen.add(socket);
          return;
        case 'enable':
          managed = true;
          session = { id: randomBytes(4).toString('hex'), h: 0, out: 0, unacked: [] };
          wire.write(xml('enabled', { xmlns: SM, id: session.id, resume: 'true', max: '300' }));
          return;
        case 'r': if (set.acks) wire.write(xml('a', { xmlns: SM, h: String(session.h) })); return;
        case 'a':
          home.h = Number(attr(element, 'h'));
          session.unacked = session.unacked.slice(home.h - session.out);
          session.out = home.h;
          return;
        default:
      }
      const bind = element.getChild('bind');
      if (bind) {
        home.sessions++;
        current = wire;
        connections.set(`box@${domain}/${bind.getChildText('resource')}`, reply);
        wire.write(iqResult(element, xml('bind', { xmlns: 'urn:ietf:params:xml:ns:xmpp-bind' }, xml('jid', {}, `box@${domain}/${bind.getChildText('resource')}`))));
        return;
      }
      if (set.before(element) === 'drop' || wire.socket.destroyed) return;
      home.stanzas.push(element);
      session.h++;
      pubsub(element);
    }

    function finish(final: string): void {
      const proof = scram?.verify(final);
      if (proof === undefined) {
        wire.write(xml('failure', { xmlns: SASL }, xml('not-authorized', {})));
        return;
      }
      const v = set.signature === 'right' ? proof : set.signature === 'wrong' ? `v=${randomBytes(32).toString('base64')}` : '';
      authenticated = true;
      wire.write(xml('success', { xmlns: SASL }, Buffer.from(v).toString('base64')));
      setImmediate(() => wire.restart());
    }

    function pubsub(iq: Element): void {
      const type = attr(iq, 'type');
      if (iq.getName() !== 'iq' || (type !== 'get' && type !== 'set')) return;
      const action = children(iq.getChild('pubsub') ?? iq)[0];
      const what = action?.getName() ?? '';
      const own = attr(iq, 'to') === home.account.jid;
      const node = `${own ? PEP : ''}${(action && attr(action, 'node')) ?? ''}`;
      const verdict = set.answer(iq, what, node);
      if (verdict === 'silence') return;
      if (typeof verdict === 'object' && !(verdict instanceof Error)) return reply(verdict);
      if (verdict !== undefined) return reply(errorReply(iq, typeof verdict === 'string' ? new StanzaError(verdict) : verdict));
      if (own && set.pep && node === PEP && iq.getChild('query', INFO)) return reply(iqResult(iq, xml('query', { xmlns: INFO }, xml('identity', { category: 'pubsub', type: 'pep' }))));
      const items = home.nodes.get(node);
      const id = attr(action?.getChild('item') ?? xml('item'), 'id') ?? '';
      const asked = iq.getChild('query', 'http://jabber.org/protocol/disco#items');
      const of = asked && attr(asked, 'node');
      if (of !== undefined) {
        const names = home.nodes.get(of);
        return reply(names ? iqResult(iq, xml('query', { xmlns: 'http://jabber.org/protocol/disco#items', node: of }, ...[...names.keys()].map((name) => xml('item', { jid: `pubsub.${domain}`, name })))) : errorReply(iq, new StanzaError('item-not-found')));
      }
      if (asked) {
        return reply(iqResult(iq, xml('query', { xmlns: 'http://jabber.org/protocol/disco#items' }, ...[...home.nodes.keys()].map((name) => xml('item', { jid: `pubsub.${domain}`, node: name })))));
      }
      if (what === 'subscriptions') {
        const list = [...home.subscribers].flatMap(([name, jids]) => [...jids].map((jid) => xml('subscription', { node: name, jid, subscription: 'subscribed' })));
        return reply(iqResult(iq, xml('pubsub', { xmlns: 'http://jabber.org/protocol/pubsub' }, xml('subscriptions', {}, ...list))));
      }
      if (what === 'create') {
        if (items) return reply(errorReply(iq, new StanzaError('conflict')));
        home.nodes.set(node, new Map());
        return reply(iqResult(iq));
      }
      if (!items) return reply(errorReply(iq, new StanzaError('item-not-found')));
      if (what === 'delete') {
        home.deleteNode(node);
        return reply(iqResult(iq));
      }
      if (what === 'configure') {
        const form = xml('x', { xmlns: 'jabber:x:data', type: 'form' }, xml('field', { var: 'pubsub#max_items' }, xml('value', {}, set.maxItems)));
        return reply(iqResult(iq, xml('pubsub', { xmlns: 'http://jabber.org/protocol/pubsub#owner' }, xml('configure', { node }, form))));
      }
      if (what === 'subscribe' || what === 'unsubscribe') {
        const jid = (action && attr(action, 'jid')) ?? '';
        const subscribers = home.subscribers.get(node) ?? new Set();
        home.subscribers.set(node, subscribers);
        if (what === 'subscribe') subscribers.add(jid);
        else subscribers.delete(jid);
        return reply(iqResult(iq, xml('pubsub', { xmlns: 'http://jabber.org/protocol/pubsub' }, xml('subscription', { node, jid, subscription: 'subscribed' }))));
      }
      const newest = action && attr(action, 'max_items');
      if (what === 'items' && newest !== undefined) {
        const list = [...items].slice(-Number(newest)).map(([one, element]) => xml('item', { id: one }, element));
        return reply(iqResult(iq, xml('pubsub', { xmlns: 'http://jabber.org/protocol/pubsub' }, xml('items', { node }, ...list))));
      }
      const [record] = children(action?.getChild('item') ?? xml('none'));
      // Not by ltx's own writer, which leaves carriage returns for the reader to take away.
      if (what === 'publish' && record) {
        reply(iqResult(iq));
        return home.publish(node, id, parseElement(serializeStandalone(record)));
      }
      if (what === 'retract') {
        if (!items.has(id)) return reply(errorReply(iq, new StanzaError('item-not-found')));
        reply(iqResult(iq));
        return home.retract(node, id);
      }
      const wanted = action?.getChildren('item').map((item) => attr(item, 'id') ?? '') ?? [];
      reply(iqResult(iq, xml('pubsub', { xmlns: 'http://jabber.org/protocol/pubsub' }, xml('items', { node }, ...wanted.filter((one) => items.has(one)).map((one) => xml('item', { id: one }, items.get(one) ?? ''))))));
    }
  }
  return home;
}
