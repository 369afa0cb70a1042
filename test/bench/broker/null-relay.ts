// The least a Node process can do between publishers and subscribers on XEP-0174 streams: `@xmpp/xml` parses what comes,
// the item is built anew, one write per socket and tick. No topics, no rights, no errors. In the clear, or, with a key and
// its certificate, under TLS for who asks for it; there it says that it counts stanzas, and does not. Nothing is kept; or,
// with a folder, each item in one row of a LevelDB, synced before it is answered and passed on; what comes meanwhile together.
import { readFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { createSecureContext, type SecureContext, TLSSocket } from 'node:tls';

import build, { type Element, Parser } from '@xmpp/xml';
import { Level } from 'level';

const [host = '127.0.0.1', port = '0', pair = '', folder] = process.argv.slice(2);
const secureContext: SecureContext | undefined = pair === '' ? undefined : createSecureContext({ key: readFileSync(`${pair}.key`), cert: readFileSync(`${pair}.crt`) });
const HEADER = "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'><stream:features></stream:features>";

interface Client { readonly name: string; readonly write: (text: string) => void }
const subscribers = new Set<Client>();

function gathered(socket: Socket): (text: string) => void {
  let waiting = '';
  return (text) => {
    if (waiting === '') {
      setImmediate(() => {
        socket.write(waiting);
        waiting = '';
      });
    }
    waiting += text;
  };
}

function publish(item: string): void {
  for (const { name, write: tell } of subscribers) {
    tell(`<message from='relay' to='${name}' type='headline'><event xmlns='http://jabber.org/protocol/pubsub#event'><items node='bench'>${item}</items></event></message>`);
  }
}

const database = folder === undefined ? undefined : new Level<Uint8Array, Uint8Array>(folder, { keyEncoding: 'view', valueEncoding: 'view' });
let waiting: { readonly item: string; readonly kept: () => void }[] = [];
let writing = false;
let last = 0;

async function writeAll(into: NonNullable<typeof database>): Promise<void> {
  writing = true;
  while (waiting.length > 0) {
    const now = waiting;
    waiting = [];
    const batch = into.batch();
    for (const { item } of now) {
      const key = Buffer.alloc(8);
      key.writeDoubleBE(++last);
      batch.put(key, Buffer.from(item));
    }
    await batch.write({ sync: true });
    for (const { kept } of now) kept();
  }
  writing = false;
}

function keep(item: string, kept: () => void): void {
  if (!database) return kept();
  waiting.push({ item, kept });
  if (!writing) void writeAll(database);
}

function serve(socket: Socket): void {
  const say = gathered(socket);
  let client: Client | undefined;
  const parser = new Parser();
  const data = (bytes: Buffer): void => { parser.write(bytes.toString().replace(/^<\?xml[^>]*>/, '')); };
  parser.on('start', (root: Element) => {
    client = { name: String(root.attrs['from']), write: say };
    say(HEADER);
  });
  parser.on('element', (stanza: Element) => {
    if (stanza.name === 'starttls' && secureContext) {
      socket.off('data', data);
      socket.write("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
      serve(new TLSSocket(socket, { isServer: true, secureContext }));
    }
    if (stanza.name === 'enable') say("<enabled xmlns='urn:xmpp:sm:3'/>");
    if (stanza.name !== 'iq') return;
    const pubsub = stanza.getChild('pubsub', 'http://jabber.org/protocol/pubsub');
    const item = pubsub?.getChild('publish')?.getChild('item');
    const answer = (): void => say(build('iq', { type: 'result', id: stanza.attrs['id'], from: 'relay' }, build('pubsub')).toString());
    if (item) {
      const text = item.toString();
      return keep(text, () => {
        publish(text);
        answer();
      });
    }
    if (client) subscribers.add(client);
    answer();
  });
  socket.on('data', data);
  socket.on('close', () => { if (client) subscribers.delete(client); });
  socket.on('error', () => undefined); // the generator has what it wanted
}

await database?.open();
createServer({ noDelay: true }, serve).listen(Number(port), host);
