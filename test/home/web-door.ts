// A web server before a scripted home: WebSocket (RFC 7395) and BOSH (XEP-0124, XEP-0206), each passed on as the stream over TCP
// that the home speaks. TLS ends here, so the home offers logins in the clear (`starttls: false`).
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { WebSocketServer } from 'ws';
import { attr, children, type Element, parseElement, serialize } from '../../src/xmpp/element.ts';
import { XmlStream } from '../../src/xmpp/xml-stream.ts';
import { certificate, DOMAIN, type FakeHome } from './fake-home.ts';

const HEADER = `<?xml version='1.0'?><stream:stream to='${DOMAIN}' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>`;
const BODY = "<body xmlns='http://jabber.org/protocol/httpbind' xmlns:stream='http://etherx.jabber.org/streams'";

export interface WebDoor extends AsyncDisposable {
  readonly port: number;
  /** Requests that came, upgrades among them. */
  readonly requests: number;
}

/** The stream behind: what comes on it, element by element. */
class Behind {
  readonly #socket: Socket;
  readonly #stream = new XmlStream({});

  constructor(port: number, came: (element: Element) => void) {
    this.#socket = connect(port, '127.0.0.1');
    this.#socket.on('error', () => undefined).on('data', (bytes: Buffer) => {
      for (const event of this.#stream.receive(bytes)) {
        if (event.type !== 'stanza') continue;
        // Elsewhere it stands alone: it has what it inherited.
        if (!event.element.name.includes(':')) event.element.attrs['xmlns'] ??= 'jabber:client';
        came(event.element);
      }
    });
  }

  begin(): void {
    this.#stream.reset();
    this.#socket.write(HEADER);
  }

  write(text: string): void {
    this.#socket.write(text);
  }

  close(): void {
    this.#socket.destroy();
  }
}

export async function openWebDoor(home: FakeHome): Promise<WebDoor> {
  home.set.starttls = false;
  const behind = new Set<Behind>();
  const reach = (came: (element: Element) => void): Behind => {
    const one = new Behind(home.account.port, came);
    behind.add(one);
    return one;
  };
  let requests = 0;
  const bosh = boshOver(reach);
  const web = createServer(certificate(), (request, answer) => {
    requests++;
    void bosh(request, answer);
  });
  const sockets = new WebSocketServer({ server: web, handleProtocols: () => 'xmpp' });
  sockets.on('connection', (socket) => {
    requests++;
    const inner = reach((element) => socket.send(serialize(element)));
    socket.on('close', () => inner.close());
    socket.on('message', (data: Buffer) => {
      const text = data.toString();
      if (text.startsWith('<open')) {
        inner.begin();
        socket.send(`<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' from='${DOMAIN}' version='1.0'/>`);
      } else if (text.startsWith('<close')) socket.close();
      else inner.write(text);
    });
  });
  web.listen(0, '127.0.0.1');
  await once(web, 'listening');
  return {
    port: (web.address() as AddressInfo).port,
    get requests() { return requests; },
    async [Symbol.asyncDispose]() {
      for (const one of behind) one.close();
      for (const socket of sockets.clients) socket.terminate();
      web.close();
      web.closeAllConnections();
      await once(web, 'close');
    },
  };
}

function boshOver(reach: (came: (element: Element) => void) => Behind): (request: IncomingMessage, answer: ServerResponse) => Promise<void> {
  let inner: Behind | undefined;
  /** The request that is kept open, and what waits for one. */
  let held: ServerResponse | undefined;
  let out: string[] = [];
  const release = (type = ''): void => {
    held?.end(`${BODY} sid='s' requests='2' hold='1' wait='60'${type}>${out.join('')}</body>`);
    held = undefined;
    out = [];
  };
  return async (request, answer) => {
    let text = '';
    for await (const part of request.setEncoding('utf8')) text += String(part);
    const body = parseElement(text);
    if (held) release();
    held = answer;
    if (attr(body, 'type') === 'terminate') {
      inner?.close();
      return release(" type='terminate'");
    }
    if (attr(body, 'sid') === undefined) {
      inner = reach((element) => {
        out.push(serialize(element));
        if (held) release();
      });
    }
    if (attr(body, 'sid') === undefined || attr(body, 'xmpp:restart') === 'true') inner?.begin();
    for (const child of children(body)) inner?.write(serialize(child));
    if (out.length > 0) release();
  };
}
