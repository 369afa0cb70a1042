// The least a Node process can do between publishers and subscribers on XEP-0174 streams: `@xmpp/xml` parses what comes,
// the item is built anew, one write per socket and tick. No topics, no rights, no errors, nothing kept.
import { createServer, type Socket } from 'node:net';

import build, { type Element, Parser } from '@xmpp/xml';

const [host = '127.0.0.1', port = '0'] = process.argv.slice(2);
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
  for (const { name, write } of subscribers) {
    write(`<message from='relay' to='${name}' type='headline'><event xmlns='http://jabber.org/protocol/pubsub#event'><items node='bench'>${item}</items></event></message>`);
  }
}

createServer({ noDelay: true }, (socket) => {
  const write = gathered(socket);
  let client: Client | undefined;
  const parser = new Parser();
  parser.on('start', (root: Element) => {
    client = { name: String(root.attrs['from']), write };
    write(HEADER);
  });
  parser.on('element', (iq: Element) => {
    if (iq.name !== 'iq') return;
    const pubsub = iq.getChild('pubsub', 'http://jabber.org/protocol/pubsub');
    const item = pubsub?.getChild('publish')?.getChild('item');
    if (item) publish(item.toString());
    else if (client) subscribers.add(client);
    write(build('iq', { type: 'result', id: iq.attrs['id'], from: 'relay' }, build('pubsub')).toString());
  });
  socket.setEncoding('utf8');
  socket.on('data', (text: string) => parser.write(text.replace(/^<\?xml[^>]*>/, '')));
  socket.on('close', () => { if (client) subscribers.delete(client); });
  socket.on('error', () => undefined); // the generator has what it wanted
}).listen(Number(port), host);
