// `npm run bench [publish|stream|broker|broker-scale|process|log|latency|scale|crowd|rest|home|home-long|nodes|nodes-backlog|weight|outage]…`: prints what was measured on this machine, now.
import { cpus, loadavg } from 'node:os';
import { benchBroker } from './broker/broker.ts';
import { benchBrokerScale } from './broker-scale.ts';
import { type Row, printTable } from './figures.ts';
import { benchHome, benchHomeLong } from './home.ts';
import { benchCrowd } from './link/crowd.ts';
import { benchLatency } from './link/latency.ts';
import { benchRest } from './link/rest.ts';
import { benchScale } from './link/scale.ts';
import { benchLog } from './log.ts';
import { benchBacklog } from './nodes/backlog.ts';
import { benchNodes } from './nodes/cost.ts';
import { benchOutage } from './nodes/outage.ts';
import { benchWeight } from './nodes/weight.ts';
import { benchProcess } from './process.ts';
import { benchPublish } from './publish.ts';
import { benchStream } from './stream.ts';

const parts: Readonly<Record<string, () => Promise<readonly Row[]>>> = {
  publish: benchPublish, stream: benchStream, broker: benchBroker, 'broker-scale': benchBrokerScale, process: benchProcess, log: benchLog, latency: benchLatency, scale: benchScale, crowd: benchCrowd, rest: benchRest, home: benchHome, 'home-long': benchHomeLong, nodes: benchNodes, 'nodes-backlog': benchBacklog, weight: benchWeight, outage: benchOutage,
};
const asked = process.argv.slice(2);
for (const name of asked) if (!Object.hasOwn(parts, name)) throw new Error(`there is no part "${name}": ${Object.keys(parts).join(', ')}`);

console.log(`Node ${process.version}, ${cpus().length} × ${cpus()[0]?.model.trim()}, load ${loadavg()[0]?.toFixed(1)}; each row measured in turns in one run`);
const rows: Row[] = [];
for (const [name, part] of Object.entries(parts)) {
  if (asked.length === 0 || asked.includes(name)) rows.push(...await part());
}
printTable(rows);
