// Runs on the servers' side and tells what comes out there, one JSON object a line: what MQTT subscribers, a person and a
// subscriber of the home are given. node outage-witness.mjs HOST MQTT_PORT XMPP_PORT CA SERVICE DOMAIN NODE
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createSystemClock } from '../../dist/src/clock.js';
import { subscribeRequest } from '../../dist/src/home/down/request.js';
import { negotiate } from '../../dist/src/home/negotiate.js';
import { HomeSession, SESSION_TIMING } from '../../dist/src/home/session.js';
import { fromPayload } from '../../dist/src/payload/payload.js';
import { elementToPayload } from '../../dist/src/payload/xml.js';
import { children, xml } from '../../dist/src/xmpp/element.js';
import { parseJid } from '../../dist/src/xmpp/jid.js';

const [, , host, mqttPort, xmppPort, ca, service, domain, node] = process.argv;
const clock = createSystemClock();
const say = (object) => void process.stdout.write(`${JSON.stringify({ at: Date.now(), ...object })}\n`);
// Node-RED's own MQTT client.
const mqtt = createRequire(createRequire(createRequire(import.meta.url).resolve('node-red')).resolve('@node-red/nodes/package.json'))('mqtt');

function watchMqtt() {
  const client = mqtt.connect(`mqtt://${host}:${mqttPort}`, { clientId: 'witness', clean: false });
  client.on('message', (topic, bytes) => say({ road: topic, n: JSON.parse(bytes).n }));
  return new Promise((resolve, reject) => {
    client.once('connect', () => client.subscribe('outage/#', { qos: 1 }, (error) => (error ? reject(error) : resolve())));
  });
}

async function session(name, look) {
  let made;
  const negotiated = await negotiate({
    jid: parseJid(`${name}@${domain}`), password: `${name}-secret`, resource: 'witness', host, port: Number(xmppPort), ca: readFileSync(ca, 'utf8'),
    clock, deadline: 10_000, stanzaBytes: 64 << 20, onClose: () => say({ lost: name }), signal: new AbortController().signal,
  });
  made = new HomeSession({ clock, jid: negotiated.bound, managed: true, timing: SESSION_TIMING, trouble: () => undefined });
  made.attach(negotiated.socket);
  negotiated.arrivals.handOver((stanza) => {
    look(stanza);
    made.receive(stanza);
  });
  return made;
}

await watchMqtt();
const person = await session('viewer', (stanza) => {
  const body = stanza.getName() === 'message' ? stanza.getChildText('body') : undefined;
  if (body) say({ road: 'xmpp', n: JSON.parse(body).n });
});
person.send(xml('presence'));
const reader = await session('edge1', (stanza) => {
  for (const item of stanza.getChild('event')?.getChild('items')?.getChildren('item') ?? []) {
    const record = item.getChild('record');
    if (record) say({ road: 'lanpost', n: fromPayload(elementToPayload(children(record)[0])).n });
  }
});
// The box makes the node when it has the first item for it.
for (;;) {
  try {
    await reader.iq.request(subscribeRequest(service, node, reader.jid));
    break;
  } catch {
    await new Promise((resolve) => { setTimeout(resolve, 100); }); // not yet
  }
}
say({ ready: true });
