// Node-RED as others install it, with the nodes of this package, those installed in USERDIR or else from dist/, in a process of its own: node flow-process.mjs USERDIR.
// Runs USERDIR/flows.json; functions in it say something by `global.get('say')(object)`, and hear the lines that come in by
// `global.get('hear')(listener)`; `global.get('memory')()` is what lives, and what the process weighs without the files it has mapped, in bytes. Prints one JSON object per line.
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

const nodeRed = createRequire(import.meta.url)('node-red');
// Lines are for what the flow says.
console.log = console.error;
const say = (object) => void process.stdout.write(`${JSON.stringify(object)}\n`);
const input = createInterface({ input: process.stdin });
const hear = (listener) => void input.on('line', listener);
const memory = () => {
  setFlagsFromString('--expose-gc');
  // LevelDB maps its tables: those pages are the file system's own, and go when memory is short.
  const weighs = Number(/^RssAnon:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) * 1024;
  runInNewContext('gc')();
  const { heapUsed, external } = process.memoryUsage();
  return { weighs, lives: heapUsed + external };
};
nodeRed.init(createServer(), {
  userDir: process.argv[2], flowFile: 'flows.json', credentialSecret: 'test', httpAdminRoot: false, httpNodeRoot: false, editorTheme: { projects: { enabled: false } },
  nodesDir: existsSync(join(process.argv[2], 'node_modules/lanpost')) ? [] : [fileURLToPath(new URL('../../', import.meta.url))],
  functionGlobalContext: { say, hear, memory },
  logging: { lines: { level: 'warn', metrics: false, audit: false, handler: () => ({ msg }) => say({ warned: msg?.message ?? String(msg) }) } },
});
nodeRed.events.on('flows:started', () => say({ started: true }));
await nodeRed.start();
input.on('close', () => void nodeRed.stop().then(() => process.exit(0)));
