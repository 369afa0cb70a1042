// Run in a host of the LAN: looks at a node of a home with a session of its own.
// node home-reader.mjs HOST PORT CA JID PASSWORD SERVICE NODE watch|items
import { readFileSync } from 'node:fs';
import { createSystemClock } from '../../dist/src/clock.js';
import { negotiate } from '../../dist/src/home/negotiate.js';
import { itemsRequest } from '../../dist/src/home/node.js';
import { HomeSession, SESSION_TIMING } from '../../dist/src/home/session.js';
import { fromPayload } from '../../dist/src/payload/payload.js';
import { elementToPayload } from '../../dist/src/payload/xml.js';
import { children, xml } from '../../dist/src/xmpp/element.js';
import { parseJid } from '../../dist/src/xmpp/jid.js';

const [, , host, port, ca, jid, password, service, node, what] = process.argv;
const clock = createSystemClock();

async function open() {
  let session;
  const negotiated = await negotiate({
    jid: parseJid(jid), password, resource: `reader-${process.pid}`, host, port: Number(port), ca: readFileSync(ca, 'utf8'),
    clock, deadline: 10_000, stanzaBytes: 64 << 20, onClose: () => session?.end(), signal: new AbortController().signal,
  });
  session = new HomeSession({ clock, jid: negotiated.bound, managed: true, timing: SESSION_TIMING, trouble: () => undefined });
  session.attach(negotiated.socket);
  negotiated.arrivals.handOver(session.receive);
  return session;
}

/** The server tells nobody that a node has another item, unless they subscribe, and that would slow it down. */
const pause = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

/** Names only, so that counting does not slow down what is counted. */
async function count(session) {
  try {
    const answer = await session.iq.request(xml('iq', { type: 'get', to: service }, xml('query', { xmlns: 'http://jabber.org/protocol/disco#items', node })));
    return answer.getChild('query').getChildren('item').length;
  } catch (error) {
    if (error.condition === 'item-not-found') return 0;
    throw error;
  }
}

if (what === 'items') {
  const session = await open();
  const iq = itemsRequest(service, node, []);
  iq.getChild('pubsub').getChild('items').attrs.max_items = '100000';
  const items = (await session.iq.request(iq)).getChild('pubsub').getChild('items').getChildren('item').map((item) => {
    const record = item.getChild('record');
    return { id: item.attrs.id, recordId: record.attrs.id, seq: Number(record.attrs.seq), value: fromPayload(elementToPayload(children(record)[0])) };
  });
  process.stdout.write(JSON.stringify(items), () => process.exit(0));
} else {
  for (;;) {
    try {
      const session = await open();
      for (;;) {
        process.stdout.write(`${JSON.stringify({ count: await count(session) })}\n`);
        await pause(150);
      }
    } catch {
      // The server is being killed and started: that is the test.
      await pause(100);
    }
  }
}
