import { createRequire } from 'node:module';
import type { EventEmitter } from 'node:events';
import type { RequestListener, Server } from 'node:http';
import { LanpostError } from '../index.ts';

/** The part of Node-RED's embedding interface used here; the same in 4.1 and 5. */
export interface NodeRed {
  init(server: Server, settings: object): void;
  start(): Promise<unknown>;
  stop(): Promise<unknown>;
  version(): string;
  readonly log: { _(key: string): string };
  readonly events: EventEmitter;
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

/**
 * Resolves when the flows run, or Node-RED has said why they do not. `start()` returns before that,
 * and a stop in between would leave flows running that start after it.
 */
export function flowsSettled({ events }: Pick<NodeRed, 'events'>): Promise<void> {
  return new Promise((resolve) => {
    const settle = (): void => {
      events.off('flows:started', settle);
      events.off('runtime-event', onRuntime);
      resolve();
    };
    const onRuntime = (event: { readonly id?: string; readonly payload?: { readonly error?: unknown; readonly state?: unknown } }): void => {
      if (event.id === 'runtime-state' && (event.payload?.error !== undefined || event.payload?.state !== undefined)) settle();
    };
    events.on('flows:started', settle);
    events.on('runtime-event', onRuntime);
  });
}
