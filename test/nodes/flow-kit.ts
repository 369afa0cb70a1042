import { createRequire } from 'node:module';
import { readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type EventEmitter, once } from 'node:events';
import type { NodeAPI, NodeMessage } from 'node-red';
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import { saidIn } from './said.ts';

export interface FlowNode extends EventEmitter {
  receive(msg: object): void;
  send(msg: object): void;
  close(removed: boolean): Promise<void>;
  context(): { get(key: string): unknown };
}

/** Of a method of every node. */
interface Calls { readonly thisValues: readonly unknown[]; readonly args: readonly (readonly unknown[])[] }

export interface FlowHelper {
  init(entry: string): void;
  settings(settings: object): void;
  startServer(done: () => void): void;
  stopServer(done: () => void): void;
  load(nodes: readonly ((RED: NodeAPI) => void)[], flow: readonly object[], credentials: object): Promise<void>;
  setFlows(flow: readonly object[], type?: 'full' | 'flows' | 'nodes'): Promise<void>;
  unload(): Promise<void>;
  getNode(id: string): FlowNode;
  readonly _NodePrototype: { readonly status: Calls; readonly warn: Calls };
  /** Node-RED's own way in for dialogs. */
  request(): Record<'get' | 'delete', (path: string) => Promise<unknown>> & { post(path: string): { send(body: object): Promise<unknown> } };
}

interface Internals {
  readonly _events: EventEmitter;
  readonly _redNodes: { setFlows(flow: readonly object[], credentials: object, type: string): Promise<unknown> };
}

const require = createRequire(import.meta.url);

type Register = (RED: NodeAPI) => void;

/** What each file of the palette does with a Node-RED. */
async function palette(): Promise<Register[]> {
  const at = new URL('../../nodes/', import.meta.url);
  const files = readdirSync(at).filter((name) => name.endsWith('.ts'));
  return Promise.all(files.map(async (name) => ((await import(/* @vite-ignore */ new URL(name, at).pathname)) as { default: Register }).default));
}

/** Node-RED's runtime for the tests of one file, and a new directory for each test. */
export function useFlows(): {
  readonly flows: FlowHelper;
  readonly dir: () => string;
  /** `credentials`: by node; they hold over the deployments that follow. */
  readonly load: (flow: readonly object[], settings?: object, more?: readonly Register[], credentials?: object) => Promise<void>;
} {
  const flows: FlowHelper & Internals = require('node-red-node-test-helper');
  // The kit's own gives a deployment 300 ms to start, which a busy machine does not keep.
  let known: object = {};
  flows.setFlows = async (flow, type = 'full') => {
    const started = once(flows['_events'], 'flows:started');
    await flows['_redNodes'].setFlows(flow, known, type);
    await started;
  };
  let dir = '';
  let statuses: Calls | undefined;
  let ours: Register[] = [];
  beforeAll(async () => {
    ours = await palette();
    flows.init(require.resolve('node-red'));
    await new Promise<void>((resolve) => { flows.startServer(resolve); });
  });
  afterAll(() => new Promise<void>((resolve) => { flows.stopServer(resolve); }));
  afterEach(async () => {
    await flows.unload();
    if (dir !== '') await rm(dir, { recursive: true, force: true });
    dir = '';
    const said = statuses;
    statuses = undefined;
    expect(said ? withoutWords(said) : []).toEqual([]);
  });
  return {
    flows,
    dir: () => dir,
    async load(flow, settings = {}, more = [], credentials = {}) {
      dir = dir === '' ? await mkdtemp(join(tmpdir(), 'lanpost-')) : dir;
      flows.settings({ userDir: dir, lanpost: undefined, ...settings });
      known = credentials;
      await flows.load([...ours, ...more], flow, credentials);
      // oxlint-disable-next-line no-underscore-dangle -- the helper's own name
      statuses = flows._NodePrototype.status;
    },
  };
}

/** The next messages that reach a helper node, in order; ask before they are sent. */
export function collect(node: FlowNode): { next(): Promise<NodeMessage & Record<string, never>> ; readonly all: NodeMessage[] } {
  const all: NodeMessage[] = [];
  let read = 0;
  let wake: (() => void) | undefined;
  node.on('input', (msg: NodeMessage) => { all.push(msg); wake?.(); });
  return {
    all,
    async next() {
      while (all.length <= read) await new Promise<void>((resolve) => { wake = resolve; });
      return all[read++] as NodeMessage & Record<string, never>;
    },
  };
}

/** What the status of a node says, as soon as it says that. */
export async function saidBy(flows: FlowHelper, id: string, wanted: RegExp): Promise<string> {
  const node = flows.getNode(id);
  // The helper watches every node; what was said while the flow was made is there, too.
  // oxlint-disable-next-line no-underscore-dangle -- the helper's own name
  const { thisValues, args } = flows._NodePrototype.status;
  let text = textOf(args[thisValues.lastIndexOf(node)]);
  while (!wanted.test(text)) {
    text = await new Promise<string>((resolve) => { node.once('call:status', (call: { args: unknown[] }) => resolve(textOf(call.args))); });
  }
  return text;
}

/** In which colour it says that. */
export async function shownBy(flows: FlowHelper, id: string, wanted: RegExp): Promise<string> {
  await saidBy(flows, id, wanted);
  // oxlint-disable-next-line no-underscore-dangle -- the helper's own name
  const { thisValues, args } = flows._NodePrototype.status;
  const node = flows.getNode(id);
  const [status] = args.findLast((call, at) => thisValues[at] === node && wanted.test(textOf(call))) ?? [];
  return typeof status === 'object' && status !== null && 'fill' in status ? String(status.fill) : '';
}

const german = saidIn('de');

/** What nodes have said of themselves that an editor has no words for; what is wrong, and why, is in the box's own. */
function withoutWords({ args, thisValues }: Calls): string[] {
  const shown = args.filter((_, i) => (thisValues[i] as { readonly type: string }).type.startsWith('lanpost ')).map(([status]) => status as { readonly fill?: string; readonly text?: string } | undefined);
  const phrases = shown.flatMap((status) => (status?.text === undefined || status.fill === 'red' ? [] : (status.text.split(/:|·|…/, 1)[0] ?? '').trim().split(', ')));
  return [...new Set(phrases)].filter((phrase) => german.phrase(phrase) === undefined);
}

function textOf(call: readonly unknown[] | undefined): string {
  const [status] = call ?? [];
  return typeof status === 'object' && status !== null && 'text' in status ? String(status.text) : '';
}
