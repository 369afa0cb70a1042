// What many deployments leave of nodes whose box is on a real link: their own, opened and closed with them, or one that runs already.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BoxProcess, startBox } from '../support/box.ts';
import { readJsonLines } from '../support/json-lines.ts';
import { createLan, type Lan } from '../support/lan.ts';
import type { Leftovers } from '../support/leftovers.mjs';
import { needs } from '../support/needs.ts';
import { ROOT } from '../support/root.ts';

type Counts = Leftovers & Readonly<Record<'listeners of Node-RED' | 'listeners of the process', number>>;
/** Of each that was given to a node, by its name: how it ended. */
type Ends = Readonly<Record<string, readonly string[]>>;
interface Said { readonly early?: Counts; readonly late?: Counts; readonly missing?: readonly string[]; readonly pub?: Ends; readonly ask?: Ends; readonly warned?: string }

const ROUNDS = 100;
/** Of these some may just be there, of others none. What one deployment in ten leaves behind is too much. */
const AT_WORK: ReadonlySet<string> = new Set(['resources', 'timers', 'listeners of signals']);
const FEW = 8;

/** Asked right before a deployment: each is told once what became of it, or that the box was closed before it was known. Right after all nodes were seen at work, in each fifth round, the command was there. */
function isTold(given: string, ends: readonly string[]): boolean {
  const [command, round] = given.split(' ');
  const mayBe = ['closed', ...(command === 'held' ? [] : ['done']), ...(Number(round) % 5 === 1 && round !== '1' ? [] : ['not-found'])];
  return ends.length === 1 && mayBe.includes(ends[0] ?? '');
}

const node = (id: string, kind: string, more: object = {}): object => ({ id, type: `lanpost ${kind}`, z: 'tab', box: 'box', wires: [[], []], ...more });
const reader = (id: string, kind: string, more: object): object => node(id, kind, { reads: true, ...more });
const flow = (box: object): object[] => [
  { id: 'tab', type: 'tab', label: 'again and again' }, { id: 'box', type: 'lanpost box', boxName: 'A', link: true, ...box },
  reader('sub', 'subscribe', { configVersion: 2, filter: 'a/#', from: 'new', last: 'all', durable: true, reader: '', ack: 'manual', changes: false, wires: [['confirm']] }), node('confirm', 'ack', { action: 'ack', delay: '' }),
  reader('kept', 'subscribe', { configVersion: 2, filter: 'a/#', from: 'start', last: 'none', durable: true, reader: '', changes: false, wires: [['came']] }),
  { id: 'came', type: 'function', z: 'tab', func: 'global.get("came")(msg.payload);', outputs: 0, wires: [] },
  reader('live', 'subscribe', { configVersion: 2, filter: '#', from: 'new', last: 'all', durable: false, reader: '', changes: false }),
  reader('gap', 'gap', { filter: '', reader: '', from: 'new' }), reader('in', 'message in', { configVersion: 2, from: '', reader: '', begin: 'new' }),
  reader('peers', 'peers', { only: 'boxes', feature: 'http://jabber.org/protocol/commands' }), reader('offer', 'command in', { command: 'c', fields: [], wires: [['answer']] }), node('answer', 'command out', { outcome: '', code: '' }),
  // Whoever runs it is told when the flow goes.
  reader('holder', 'command in', { command: 'held', fields: [] }),
  // Nobody lets it read there: it is tried again and again.
  node('at', 'subscribe', { configVersion: 2, filter: 'b', at: 'B@h2', from: 'new', last: 'all', durable: true, reader: '', changes: false }),
  node('home', 'home', { home: '' }), node('topic', 'topic', { topic: 'a/b', action: 'set', deploy: true, lane: '', key: '', maxItems: '', accessModel: '', settings: '' }),
  node('pub', 'publish', { configVersion: 3, topic: 'a/b' }), node('ask', 'request', { kind: 'command', command: '', to: '', timeout: '20' }), node('send', 'message out', { to: '', until: 'delivered' }),
];

describe.skipIf(!needs('root'))('nodes of a box on a real link', () => {
  let folder: string, lan: Lan, b: BoxProcess;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'lanpost-again-'));
    lan = await createLan(2);
    b = await startBox({ dir: join(folder, 'b'), name: 'B', lan, host: 2 });
  });
  afterAll(async () => {
    await b?.stop();
    await lan?.down();
    rmSync(folder, { recursive: true, force: true });
  });

  /** What more there is after all rounds than after ten, where it is more than what may just be at work, and what became of all that was under way at a deployment. */
  const left = async (name: string, how: 'full' | 'flows' | 'nodes', box: object): Promise<unknown> => {
    const userDir = join(folder, name);
    mkdirSync(userDir, { recursive: true, mode: 0o700 });
    writeFileSync(join(userDir, 'flows.json'), JSON.stringify(flow(box)));
    const said = readJsonLines<Said>(lan.exec(1, process.execPath, [join(ROOT, 'test/support/redeploy-process.mjs'), userDir, how, String(ROUNDS)]), 'Node-RED');
    const { early } = await said.wait((line) => line.early !== undefined, { timeout: 120_000 });
    const { late } = await said.wait((line) => line.late !== undefined, { timeout: 240_000 });
    const { missing, pub = {}, ask = {} } = await said.wait((line) => line.missing !== undefined, { timeout: 60_000 });
    await said.ended;
    if (!early || !late) throw new Error('it did not say');
    const more = Object.entries(late).map(([what, count]) => [what, count - early[what as keyof Counts]] as const);
    return {
      left: more.filter(([what, count]) => count > (AT_WORK.has(what) ? FEW : 0)),
      missing,
      published: Object.values(pub).filter((ends) => ends.join() === 'done').length,
      asked: Object.keys(ask).length,
      untold: Object.entries(ask).filter(([given, ends]) => !isTold(given, ends)),
    };
  };
  /** Nothing left and nothing lost: each has ended once, and all that was published has come. */
  const CLEAN = { left: [], missing: [], published: 3 * ROUNDS, asked: 2 * ROUNDS, untold: [] };

  it('leave nothing when it is opened and closed with them', async () => {
    expect(await left('own', 'full', { mode: 'own', dir: 'data' })).toEqual(CLEAN);
  }, 400_000);

  it('leave nothing while it stays open', async () => {
    expect(await left('open', 'nodes', { mode: 'own', dir: 'data' })).toEqual(CLEAN);
  }, 400_000);

  it.each([['attached', 'flows'], ['attached anew', 'full']] as const)('leave nothing at one that runs already: %s', async (name, how) => {
    await using a = await startBox({ dir: join(folder, name, 'running'), name: 'A', lan, host: 1 });
    expect(await left(name, how, { mode: 'attach', dir: a.dir })).toEqual(CLEAN);
  }, 400_000);
});
