import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { chmod, mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Box, Trouble } from '../index.ts';
import { type Front, openFront } from '../front/front.ts';
import { keptSecret } from '../front/kept-secret.ts';
import { flowsSettled, loadNodeRed, type NodeRed } from './node-red.ts';
import { nodeRedSettings } from './settings.ts';
import { placeStarter } from './starter.ts';
import { catchStrayErrors } from './stray-errors.ts';

export interface EditorOptions {
  /** The box that the embedded nodes use; not closed by the editor. */
  readonly box: Box;
  /** The box's data directory; Node-RED's files go to DIR/node-red. */
  readonly dir: string;
  /** Port on 127.0.0.1, 0 for a free one; or what is open already, and stays so when the editor is closed. */
  readonly port: number | Front;
  /** Warnings of Node-RED and errors of flows. Default: one line each on standard error. */
  readonly trouble?: (trouble: Trouble) => void;
}

export interface Editor {
  /** Opens the editor; carries the token. */
  readonly url: string;
  /** Node-RED's version. */
  readonly version: string;
  close(): Promise<void>;
}

/** How long closing waits for flows that are just being started. */
const SETTLE_MS = 3000;

/** Starts the embedded Node-RED. Once per process: Node-RED cannot be started again after it was stopped. */
export async function startEditor(options: EditorOptions): Promise<Editor> {
  const trouble = options.trouble ?? ((t: Trouble) => { console.error(`lanpost: ${t.message}`); });
  const userDir = join(options.dir, 'node-red');
  await mkdir(userDir, { recursive: true, mode: 0o700 });
  await chmod(userDir, 0o700);
  const credentialSecret = await keptSecret(join(userDir, 'credential-secret'), join(userDir, 'flows_cred.json'));

  // The port first: whether it is free is known in a millisecond, Node-RED takes a second.
  const front = typeof options.port === 'number' ? await openFront({ dir: options.dir, port: options.port }) : options.port;
  const releaseStrays = catchStrayErrors(trouble);
  let running: { readonly nodeRed: NodeRed; readonly settled: Promise<void> } | undefined;
  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    try {
      if (running) {
        await Promise.race([running.settled, sleep(SETTLE_MS, undefined, { ref: false })]);
        await running.nodeRed.stop();
        // It remembers each lost editor tab for 30 s, and would keep the process that long.
        running.nodeRed.events.removeAllListeners('comms:connection-removed');
      }
    } finally {
      if (front !== options.port) await front.close();
      releaseStrays();
    }
  };

  try {
    const { nodeRed, createApp } = loadNodeRed(import.meta.url);
    const packageRoot = findPackageRoot();
    await placeStarter(packageRoot, userDir);
    const settings = nodeRedSettings({ box: options.box, userDir, packageRoot, port: front.port, credentialSecret, words: (key) => nodeRed.log._(key), trouble });
    const app = createApp();
    nodeRed.init(front.inner, settings);
    running = { nodeRed, settled: flowsSettled(nodeRed) };
    app.use('/', nodeRed.httpAdmin);
    app.use('/api', nodeRed.httpNode);
    await nodeRed.start();
    front.serve(app);
    return {
      url: front.url('/'),
      version: nodeRed.version().replace(/-git$/, ''),
      close: () => (closing ??= close()),
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** From `src/editor` or `dist/src/editor` up to the folder of package.json. */
function findPackageRoot(): string {
  let dir = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(dir, 'package.json'))) {
    const parent = dirname(dir);
    if (parent === dir) throw new Error('lanpost is not installed as a package: package.json is missing above the editor');
    dir = parent;
  }
  return dir;
}
