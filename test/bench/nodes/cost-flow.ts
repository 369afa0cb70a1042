/** Where a flow may send through. */
export interface CostPath {
  readonly name: string;
  readonly nodes: readonly object[];
  /** The node that takes what is sent, and the one that gives what came. */
  readonly out: string;
  readonly in: string;
}

const tab = { z: 'tab' };
const publish = { ...tab, type: 'lanpost publish', box: 'box', itemId: '', form: 'auto', contentType: '', expires: '', at: '', prefer: 'msg', configVersion: 3, wires: [] };
/** As its dialog has it at first. */
const subscribe = { ...tab, type: 'lanpost subscribe', box: 'box', at: '', from: 'new', fromValue: '', last: 'latest', durable: false, reader: '', ack: 'auto', inFlight: '64', ackWait: '', rate: '500', rateOf: 'backlog', form: 'auto', changes: false, inputs: 0, configVersion: 2 };

export const BOX = { id: 'box', type: 'lanpost box', mode: 'own', dir: '', boxName: '', link: true, homes: [], configVersion: 1 };

/** Through a box of this Node-RED; `durable`: its reader is, too. */
export function lanpostPath(name: string, fields: object = {}): CostPath {
  return { name, out: `${name} out`, in: `${name} in`, nodes: [{ ...publish, id: `${name} out`, topic: `cost/${name}` }, { ...subscribe, id: `${name} in`, filter: `cost/${name}`, ...fields }] };
}

/** Through a broker on this machine. */
export function mqttPath(port: number): CostPath {
  return { name: 'mqtt', out: 'mqtt-out', in: 'mqtt-in', nodes: [
    { id: 'broker', type: 'mqtt-broker', name: '', broker: '127.0.0.1', port: String(port), clientid: '', autoConnect: true, usetls: false, protocolVersion: '4', keepalive: '60', cleansession: true, autoUnsubscribe: true },
    { ...tab, id: 'mqtt-out', type: 'mqtt out', topic: 'cost/mqtt', qos: '1', retain: '', broker: 'broker', wires: [] },
    { ...tab, id: 'mqtt-in', type: 'mqtt in', topic: 'cost/mqtt', qos: '1', datatype: 'auto-detect', broker: 'broker', nl: false, rap: true, rh: 0, inputs: 0 },
  ] };
}

/** One function sends so many at once when it hears the path's name; another counts them, and says when the last has come. */
export function costFlow(paths: readonly CostPath[], count: number): object[] {
  const source = `global.get('hear')((name) => {
    const at = ${JSON.stringify(paths.map(({ name }) => name))}.indexOf(name);
    const out = ${JSON.stringify(paths.map(() => null))};
    flow.set('begun', Date.now());
    for (let n = 0; n < ${count}; n++) {
      out[at] = { payload: { n, value: 21.5, unit: 'Cel', pad: 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx' } };
      node.send(out);
    }
  });`;
  const sink = (name: string): string => `let seen = context.get('seen') ?? 0;
    seen++;
    if (seen === ${count}) { global.get('say')({ took: Date.now() - flow.get('begun'), path: '${name}', n: msg.payload.n }); seen = 0; }
    context.set('seen', seen);`;
  return [
    { id: 'tab', type: 'tab', label: 'cost' }, BOX,
    { ...tab, id: 'source', type: 'function', func: '', initialize: source, outputs: paths.length, wires: paths.map(({ out }) => [out]) },
    ...paths.flatMap(({ name, nodes, in: into }) => [
      ...nodes.map((node) => ('id' in node && node.id === into ? { ...node, wires: [[`${name} sink`]] } : node)),
      { ...tab, id: `${name} sink`, type: 'function', func: sink(name), outputs: 0, wires: [] },
      { ...tab, id: `${name} status`, type: 'status', scope: [into], wires: [[`${name} shown`]] },
      { ...tab, id: `${name} shown`, type: 'function', func: `global.get('say')({ shown: '${name}', fill: msg.status.fill });`, outputs: 0, wires: [] },
    ]),
  ];
}
