import { createRequire } from 'node:module';
import type { RequestListener, Server } from 'node:http';
import { LanpostError } from '../index.ts';

/** The part of Node-RED's embedding interface used here; the same in 4.1 and 5. */
export interface NodeRed {
  init(server: Server, settings: object): void;
  start(): Promise<unknown>;
  stop(): Promise<unknown>;
  version(): string;
  readonly log: { _(key: string): string };
  readonly httpAdmin: RequestListener;
  readonly httpNode: RequestListener;
}

export interface WebApp extends RequestListener {
  use(path: string, handler: RequestListener): void;
}

export interface NodeRedParts {
  readonly nodeRed: NodeRed;
  /** Node-RED's own express, so that there is only one version of it. */
  readonly createApp: () => WebApp;
}

/** Node-RED is an optional peer: found from `from`, loaded only when an editor is wanted. */
export function loadNodeRed(from: string | URL): NodeRedParts {
  const require = createRequire(from);
  let entry: string;
  try {
    entry = require.resolve('node-red');
  } catch (cause) {
    throw new LanpostError('unsupported', 'Node-RED is not installed: run `npm install node-red`, or start with --no-editor', { cause });
  }
  const nodeRed: NodeRed = require(entry);
  const createApp: () => WebApp = createRequire(entry)('express');
  return { nodeRed, createApp };
}
