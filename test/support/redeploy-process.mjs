// Node-RED in a process of its own, with the nodes of dist/, that deploys USERDIR/flows.json again and again: node redeploy-process.mjs
// USERDIR full|flows|nodes ROUNDS. Each fifth round waits until all its nodes that read do. Prints what is left after ten rounds and after all, as JSON lines.
import { readFileSync } from 'node:fs';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BoxConnection } from '../../dist/nodes/shared/box-connection.js';
import { noteLeftovers } from './leftovers.mjs';

const [userDir, deploymentType, rounds] = process.argv.slice(2);
const leftovers = noteLeftovers(BoxConnection);
const nodeRed = createRequire(import.meta.url)('node-red');
console.log = console.error;
const say = (object) => void process.stdout.write(`${JSON.stringify(object)}\n`);

nodeRed.init(createServer(), {
  userDir, flowFile: 'flows.json', credentialSecret: 'test', httpAdminRoot: false, httpNodeRoot: false, editorTheme: { projects: { enabled: false } },
  nodesDir: [fileURLToPath(new URL('../../', import.meta.url))],
  logging: { lines: { level: 'warn', metrics: false, audit: false, handler: () => ({ msg }) => say({ warned: msg?.message ?? String(msg) }) } },
});
const flow = JSON.parse(readFileSync(join(userDir, 'flows.json'), 'utf8'));
const readers = flow.filter(({ reads }) => reads).map(({ id }) => id);
const working = new Set();
let all = () => undefined;
nodeRed.events.on('node-status', ({ id, status }) => {
  if (status.fill === 'green' || status.text === 'offered') working.add(id);
  else working.delete(id);
  if (readers.every((reader) => working.has(reader))) all();
});

const listeners = (emitter) => emitter.eventNames().reduce((sum, name) => sum + emitter.listenerCount(name), 0);
const tell = async (what) => say({ [what]: { ...await leftovers.count(), 'listeners of Node-RED': listeners(nodeRed.events), 'listeners of the process': listeners(process) } });
const work = () => (readers.every((reader) => working.has(reader)) ? undefined : new Promise((resolve) => { all = resolve; }));

const started = once(nodeRed.events, 'flows:started');
await nodeRed.start();
await started;
for (let round = 1; round <= Number(rounds); round++) {
  working.clear();
  const deployed = once(nodeRed.events, 'flows:started');
  await nodeRed.runtime.flows.setFlows({ flows: { flows: flow.map((node) => (node.type === 'tab' || node.type === 'lanpost box' ? node : { ...node, name: `${round}` })) }, deploymentType });
  await deployed;
  if (round % 5 === 0) await work();
  if (round === 10) await tell('early');
}
await work();
await tell('late');
await nodeRed.stop();
process.exit(0);
