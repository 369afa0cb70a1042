// What a node of a home holds, each record with the number in its payload, as seen by its owner's own session; connects anew when that is lost. Runs against the build.
//   node witness.mjs HOST PORT CA JID PASSWORD SERVICE
// Commands on stdin, one JSON object a line, each with `re`: items {node} · delete {node}.
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { numberOf } from './reading.mjs';

const [host, port, ca, jid, password, service] = process.argv.slice(2);
const dist = new URL('../../dist/src/', import.meta.url);
const from = (file) => import(new URL(file, dist));
const [{ createSystemClock }, { negotiate }, { HomeSession, SESSION_TIMING }, { xml }, { parseJid }, { recordsOf }] = await Promise.all([
  from('clock.js'), from('home/negotiate.js'), from('home/session.js'), from('xmpp/element.js'), from('xmpp/jid.js'), from('home/pack-element.js'),
]);
const clock = createSystemClock();
let session;

async function connected() {
  if (session) return session;
  const negotiated = await negotiate({
    jid: parseJid(jid), password, resource: `witness-${process.pid}`, host, port: Number(port), ca: readFileSync(ca, 'utf8'), clock, deadline: 15_000, stanzaBytes: 64 << 20,
    signal: new AbortController().signal, onClose: () => { session?.end(); session = undefined; },
  });
  session = new HomeSession({ clock, jid: negotiated.bound ?? jid, managed: true, timing: SESSION_TIMING, trouble: () => undefined });
  session.attach(negotiated.socket);
  negotiated.arrivals.handOver(session.receive);
  return session;
}

const request = async (type, ns, child) => (await connected()).iq.request(xml('iq', { type, to: service }, xml('pubsub', { xmlns: ns }, child)), { timeout: 20_000 });
/** A text is none. */
const readingOf = (payload) => (payload?.contentType === 'application/json' ? numberOf(JSON.parse(Buffer.from(payload.bytes).toString())) : undefined);
const commands = {
  async items({ node }) {
    const answer = await request('get', 'http://jabber.org/protocol/pubsub', xml('items', { node, max_items: '100000' })).catch((error) => {
      if (error.condition === 'item-not-found') return undefined;
      throw error;
    });
    const items = answer?.getChild('pubsub')?.getChild('items')?.getChildren('item') ?? [];
    return { records: items.flatMap((item) => recordsOf(item).map(({ recordId, previous, payload }) => ({ recordId, previous, publisher: item.attrs.publisher, n: readingOf(payload) }))), packs: items.filter((item) => item.getChild('pack')).length, items: items.length };
  },
  delete: ({ node }) => request('set', 'http://jabber.org/protocol/pubsub#owner', xml('delete', { node })).then(() => undefined),
};
process.stdout.write('{"ready":true}\n');
for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  const answer = await commands[command.do](command).then((found) => ({ answer: found ?? null }), (error) => ({ error: String(error) }));
  process.stdout.write(`${JSON.stringify({ re: command.re, ...answer })}\n`);
}
