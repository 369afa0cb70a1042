/** Where the roads of one flow lead to. */
export interface OutageServers {
  readonly host: string;
  readonly mqttPort: number;
  readonly xmppPort: number;
  readonly domain: string;
}

/** How far one flow can send the same message at once. */
export interface OutageRoad {
  readonly name: 'lanpost' | 'mqtt' | 'mqtt-15' | 'xmpp';
  /** As people know it. */
  readonly title: string;
  readonly nodes: readonly object[];
  /** Ids of its nodes that have a status. */
  readonly shown: readonly string[];
}

export const NODE = 'outage/lanpost';

const tab = { z: 'tab' };
/** A node's defaults, as its dialog saves them. */
const broker = (id: string, { host, mqttPort }: OutageServers, keepalive: string): object => ({
  id, type: 'mqtt-broker', name: '', broker: host, port: String(mqttPort), clientid: '', autoConnect: true, usetls: false, protocolVersion: '4', keepalive, cleansession: true, autoUnsubscribe: true,
});
const mqttOut = (id: string, topic: string, to: string): object => ({ ...tab, id, type: 'mqtt out', name: '', topic, qos: '1', retain: '', broker: to, wires: [] });

function mqtt(name: 'mqtt' | 'mqtt-15', servers: OutageServers, keepalive: string): OutageRoad {
  return { name, title: `mqtt out, QoS 1, keep-alive ${keepalive} s`, shown: [name], nodes: [broker(`broker ${name}`, servers, keepalive), mqttOut(name, `outage/${name}`, `broker ${name}`)] };
}

export function outageRoads(servers: OutageServers, { xmpp }: { readonly xmpp: boolean }): OutageRoad[] {
  const { host, xmppPort, domain } = servers;
  const roads: OutageRoad[] = [{
    name: 'lanpost', title: 'lanpost publish, home', shown: ['lanpost', 'home'], nodes: [
      { id: 'box', type: 'lanpost box', mode: 'own', dir: '', boxName: '', link: true, homes: [{ slot: 0, jid: `edge1@${domain}`, host: `${host}:${xmppPort}`, topics: 'outage/#' }], configVersion: 1 },
      { ...tab, id: 'lanpost', type: 'lanpost publish', box: 'box', topic: NODE, itemId: '', form: 'auto', contentType: '', expires: '', at: '', configVersion: 2, wires: [] },
      { ...tab, id: 'home', type: 'lanpost home', box: 'box', home: '', configVersion: 1, wires: [[], []] },
    ],
  }, mqtt('mqtt', servers, '60'), mqtt('mqtt-15', servers, '15')];
  if (xmpp) roads.push({
    name: 'xmpp', title: 'xmpp out', shown: ['xmpp'], nodes: [
      { id: 'server', type: 'xmpp-server', server: host, port: String(xmppPort), user: `edge2@${domain}`, nickname: '', resource: '' },
      { ...tab, id: 'xmpp', type: 'xmpp out', server: 'server', to: `viewer@${domain}`, join: false, sendObject: false, wires: [] },
    ],
  });
  return roads;
}

export const OUTAGE_CREDENTIALS: Readonly<Record<string, object>> = { box: { password0: 'edge1-secret' }, server: { password: 'edge2-secret' } };

/** One function that sends each message to every road; Catch, Complete and Status of each road say what they are told. */
export function outageFlow(roads: readonly OutageRoad[]): object[] {
  const source = `global.get('hear')((line) => {
    const { first, count, ms } = JSON.parse(line);
    const begun = Date.now();
    let sent = 0;
    const tick = setInterval(() => {
      const due = ms === 0 ? count : Math.min(count, Math.floor((Date.now() - begun) / ms * count));
      for (; sent < due; sent++) node.send({ payload: { n: first + sent } });
      if (sent < count) return;
      clearInterval(tick);
      global.get('say')({ sent: first });
    }, 10);
  });`;
  const say = (id: string, what: string): object => ({ ...tab, id, type: 'function', func: `global.get('say')({ at: Date.now(), ${what} });`, outputs: 0, wires: [] });
  return [
    { id: 'tab', type: 'tab', label: 'an outage' },
    { ...tab, id: 'source', type: 'function', func: '', initialize: source, outputs: 1, wires: [roads.map(({ name }) => name)] },
    ...roads.flatMap(({ name, nodes, shown }) => [
      ...nodes,
      { ...tab, id: `${name} catch`, type: 'catch', scope: shown, wires: [[`${name} caught`]] }, say(`${name} caught`, `caught: '${name}', words: msg.error.message`),
      { ...tab, id: `${name} complete`, type: 'complete', scope: [name], wires: [[`${name} done`]] }, say(`${name} done`, `done: '${name}'`),
      { ...tab, id: `${name} status`, type: 'status', scope: shown, wires: [[`${name} shown`]] }, say(`${name} shown`, `shown: msg.status.source.id, text: msg.status.text ?? '', fill: msg.status.fill`),
    ]),
  ];
}
