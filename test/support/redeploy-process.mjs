// Node-RED in a process of its own, with the nodes of dist/, that deploys USERDIR/flows.json again and again: node redeploy-process.mjs
// USERDIR full|flows|nodes ROUNDS. Each fifth round waits until all its nodes that read do. Right before each deployment something is published by `pub` and
// asked by `ask`; what `kept` reads comes to `came`. Prints what is left after ten rounds and after all, and then what became of all that, as JSON lines.
import { readFileSync } from 'node:fs';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { BoxConnection } from '../../dist/nodes/shared/box-connection.js';
import { noteLeftovers } from './leftovers.mjs';

const [userDir, deploymentType, rounds] = process.argv.slice(2);
/** Published before each deployment. */
const SENT = 3;
const leftovers = noteLeftovers(BoxConnection);
const nodeRed = createRequire(import.meta.url)('node-red');
console.log = console.error;
const say = (object) => void process.stdout.write(`${JSON.stringify(object)}\n`);

/** What was published and has not come; by node, the ends of each that it was given. */
const missing = new Set();
const ends = { pub: new Map(), ask: new Map() };
const give = (round) => {
  for (let n = 0; n < SENT; n++) {
    missing.add(`${round}.${n}`);
    nodeRed.nodes.getNode('pub').receive({ payload: `${round}.${n}`, given: `${round}.${n}` });
  }
  for (const command of ['c', 'held']) nodeRed.nodes.getNode('ask').receive({ command, payload: round, given: `${command} ${round}` });
};

nodeRed.init(createServer(), {
  userDir, flowFile: 'flows.json', credentialSecret: 'test', httpAdminRoot: false, httpNodeRoot: false, editorTheme: { projects: { enabled: false } },
  nodesDir: [fileURLToPath(new URL('../../', import.meta.url))], functionGlobalContext: { came: (payload) => void missing.delete(payload) },
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
const counts = async () => ({ ...await leftovers.count(), 'listeners of Node-RED': listeners(nodeRed.events), 'listeners of the process': listeners(process) });
/** The least of several looks, up to one that is `enough`: what has just begun on the link has some timers more, and what was left behind is there each time. */
const leastOf = async (enough) => {
  let least = await counts();
  for (let looks = 1; looks < 20 && !enough(least); looks++) {
    await sleep(200);
    const now = await counts();
    least = Object.fromEntries(Object.entries(now).map(([what, count]) => [what, Math.min(count, least[what])]));
  }
  return least;
};
let early;
const work = () => (readers.every((reader) => working.has(reader)) ? undefined : new Promise((resolve) => { all = resolve; }));

// What Complete and Catch are told, also of a node that is being closed.
nodeRed.hooks.add('onComplete', ({ msg, node: { node: { id } }, error }) => { ends[id]?.set(msg.given, [...ends[id].get(msg.given) ?? [], error === undefined ? 'done' : `${error.code ?? error.message}`]); });

const started = once(nodeRed.events, 'flows:started');
await nodeRed.start();
await started;
for (let round = 1; round <= Number(rounds); round++) {
  give(round);
  working.clear();
  const deployed = once(nodeRed.events, 'flows:started');
  await nodeRed.runtime.flows.setFlows({ flows: { flows: flow.map((node) => (node.type === 'tab' || node.type === 'lanpost box' ? node : { ...node, name: `${round}` })) }, deploymentType });
  await deployed;
  if (round % 5 === 0) await work();
  if (round === 10) say({ early: early = await leastOf(() => false) });
}
await work();
say({ late: await leastOf((now) => Object.entries(now).every(([what, count]) => count <= early[what])) });
for (let left = 600; left > 0 && missing.size > 0; left--) await sleep(50);
say({ missing: [...missing], pub: Object.fromEntries(ends.pub), ask: Object.fromEntries(ends.ask) });
await nodeRed.stop();
process.exit(0);
