// The example flows as they are imported into Node-REDs of their own, on a real LAN: with an XMPP server, with each other, with Pidgin's library.
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { attachBox, type Box } from '../../src/index.ts';
import { type FlowOptions, type FlowProcess, startFlows } from '../support/flow-process.ts';
import { createHomeServer } from '../support/homes.ts';
import { createLan, type Lan } from '../support/lan.ts';
import { needs } from '../support/needs.ts';
import { startPurple } from '../support/purple.ts';
import { ROOT } from '../support/root.ts';

const GATE = 1;
const HALL = 2;
/** On a machine that others keep busy. */
const SOON = { timeout: 60_000 } as const;
/** Until a path that is dead is known to be, or is tried again. */
const LATE = { timeout: 150_000 } as const;

interface Node { readonly id: string; readonly type: string; readonly name?: string; readonly label?: string; readonly z?: string; readonly wires?: readonly (readonly string[])[]; readonly [field: string]: unknown }
const example = (name: string): Node[] => JSON.parse(readFileSync(join(ROOT, 'examples/node-red', `${name}.json`), 'utf8')) as Node[];
/** As somebody changes a node in its dialog. */
const changed = (flow: readonly Node[], called: string, fields: object): Node[] => flow.map((node) => (called === node.type || called === node.name || called === node.label ? { ...node, ...fields } : node));

/** A Node-RED with an example in it, whose buttons can be pressed and whose nodes are seen as in its editor. */
interface Running extends AsyncDisposable {
  /** The box that its nodes opened. */
  readonly box: Box;
  press(button: string): void;
  /** What the status of a node says now. */
  status(called: string): string;
  /** What a debug node was given. */
  readonly got: (called: string) => readonly Record<string, unknown>[];
  /** What somebody might have to look after. */
  readonly errors: () => readonly unknown[];
  stop(): Promise<void>;
}

describe.runIf(needs('root', 'prosody', 'avahi-daemon', 'libpurple'))('an example flow in a Node-RED on a LAN', () => {
  let dir: string;
  let lan: Lan;
  beforeEach(async () => {
    dir = mkdtempSync(join(tmpdir(), 'lanpost-examples-'));
    lan = await createLan(3, { names: ['gate', 'hall', 'desk'] });
  });
  afterEach(async () => {
    await lan.down();
    rmSync(dir, { recursive: true, force: true });
  });

  async function run(host: number, flow: readonly Node[], options: FlowOptions = {}): Promise<Running> {
    const userDir = join(dir, lan.hostName(host));
    mkdirSync(userDir, { recursive: true });
    const named = (called: string): Node => {
      const found = flow.find((node) => node.id === called || node.name === called);
      if (!found) throw new Error(`the example has no node "${called}"`);
      return found;
    };
    const debug = (called: string): Node => named(flow.find(({ type, name }) => type === 'debug' && name === called)?.id ?? '');
    const z = flow[0]?.id ?? '';
    const buttons = flow.filter(({ type }) => type === 'inject');
    const say = (id: string, what: string): Node => ({ id, type: 'function', z, func: `global.get('say')({ ${what} });`, outputs: 0, wires: [] });
    const seen = flow.flatMap((node) => node.wires?.flat() ?? []).filter((id) => flow.some((node) => node.id === id && node.type === 'debug'));
    const flows: FlowProcess = await startFlows(userDir, [
      ...flow.map((node) => ({ ...node, ...node.wires && { wires: node.wires.map((ids) => [...ids, ...ids.filter((id) => seen.includes(id)).map((id) => `see ${id}`)]) } })),
      ...[...new Set(seen)].map((id) => say(`see ${id}`, `from: ${JSON.stringify(id)}, msg`)),
      // Of each tab.
      ...flow.filter(({ type }) => type === 'tab').flatMap(({ id }) => [
        { id: `${id} shown`, type: 'status', z: id, scope: null, wires: [['say status']] },
        { id: `${id} errors`, type: 'catch', z: id, scope: null, uncaught: false, wires: [['say error']] },
      ]),
      say('say status', 'status: msg.status.source.id, text: msg.status.text ?? \'\''), say('say error', 'error: msg.error.message, code: msg.error.code'),
      { id: 'press', type: 'function', z, func: '', initialize: `global.get('hear')((line) => node.send(${JSON.stringify(buttons.map(({ id }) => id))}.map((id) => (id === line ? {} : null))));`, outputs: buttons.length, wires: buttons.map(({ id }) => [id]) },
    ], { lan, host, ...options });
    let box: Box | undefined;
    await expect.poll(async () => { box = await attachBox({ dir: join(userDir, 'lanpost') }).catch(() => undefined); return box !== undefined; }, SOON).toBe(true);
    const stop = async (): Promise<void> => {
      await box?.close();
      await flows.stop();
    };
    return {
      box: box!, stop, [Symbol.asyncDispose]: stop,
      press: (button) => flows.tell(named(button).id),
      status: (called) => String(flows.said.lines.findLast((line) => line['status'] === named(called).id)?.['text'] ?? ''),
      got: (called) => flows.said.lines.flatMap((line) => (line['from'] === debug(called).id ? [line['msg'] as Record<string, unknown>] : [])),
      errors: () => flows.all('error'),
    };
  }

  it('sensor to home: what an outage has kept back is all there after it, once', async () => {
    await using server = await createHomeServer('prosody', { lan, host: HALL });
    await server.start();
    const { jid, password } = server.account('edge1');
    const flow = changed(example('sensor-home'), 'lanpost box', { homes: [{ slot: 0, jid, host: `${server.host}:${server.port}`, ca: server.ca, topics: 'plant/#' }] });
    const boxId = flow.find(({ type }) => type === 'lanpost box')!.id;
    await using gate = await run(GATE, flow, { credentials: { [boxId]: { password0: password } } });
    const words = (): string => gate.status('in words');
    await expect.poll(() => gate.status('home'), SOON).toMatch(/^online/);
    await expect.poll(words, SOON).toMatch(/^online, \d+ waiting/);

    gate.press('cut the road home');
    await expect.poll(words, SOON).toMatch(/^paused, [1-9]\d* waiting/);
    expect(gate.status('home')).toMatch(/^paused · [1-9]\d* queued, oldest \d+ s/);
    const told = gate.got('the road home').length;
    gate.press('mend it');
    await expect.poll(() => gate.got('the road home').slice(told).map(({ event }) => event), SOON).toContain('drained');

    // The cable, now.
    await lan.silentCut(GATE);
    await expect.poll(() => gate.status('home'), LATE).toMatch(/(^no answer for|^waiting|^connecting).* [1-9]\d+ queued, oldest \d+ s/);
    const cut = gate.got('the road home').length;
    await lan.restore(GATE);
    await expect.poll(() => gate.got('the road home').slice(cut).map(({ event }) => event), LATE).toContain('drained');
    await expect.poll(() => gate.status('home'), SOON).toMatch(/^online/);

    // Nothing more is said, and all of it is there.
    gate.press('cut the road home');
    await expect.poll(words, SOON).toMatch(/^paused/);
    const there = JSON.parse(await lan.run(HALL, process.execPath, [join(ROOT, 'test/scenarios/home-reader.mjs'), server.host, String(server.port), server.ca, jid, password, server.service, 'plant/boiler', 'items'])) as { readonly recordId: string; readonly seq: number; readonly value: unknown }[];
    const here = (await gate.box.items('plant/boiler', { from: 'start', limit: 1000 })).flatMap((one) => (one.kind === 'item' ? [one.value] : []));
    expect(there.length).toBeGreaterThan(20);
    expect(new Set(there.map(({ recordId }) => recordId)).size).toBe(there.length);
    expect(there.toSorted((a, b) => a.seq - b.seq).map(({ value }) => value)).toEqual(here.slice(0, there.length));
    expect(gate.status('handle it')).toMatch(/^\d+ handled/);
    expect(gate.got('lost')).toEqual([]);
    expect(gate.errors()).toEqual([]);
  }, 400_000);

  it('two boxes share a counter: both add, both show the sum, and it outlives the box that counts', async () => {
    const flow = example('counter');
    const [counts = [], other = []] = flow.filter(({ type }) => type === 'tab').map(({ id }) => flow.filter((node) => node.id === id || node.z === id));
    const config = flow.filter(({ type }) => type === 'lanpost box');
    const named = (boxName: string): Node[] => changed(config, 'lanpost box', { boxName });
    const atGate = [...counts, ...other, ...named('gate')];
    const atHall = [...changed(other, 'Counter: the other box', { env: [{ name: 'COUNTER_BOX', value: 'link:gate@gate', type: 'str' }] }), ...named('hall')];
    let gate = await run(GATE, atGate);
    await using hall = await run(HALL, atHall);
    await expect.poll(async () => (await gate.box.peers.list()).map(({ name }) => name), SOON).toEqual(['hall@hall']);
    await expect.poll(async () => (await hall.box.peers.list()).map(({ name }) => name), SOON).toEqual(['gate@gate']);

    // The owner of the counter says who may.
    hall.press('add 1');
    await expect.poll(() => hall.got('not added, why').map(({ error }) => (error as { code?: string }).code), SOON).toEqual(['forbidden']);
    await gate.box.trust.allow('hall@hall', 'write', 'counter/add');
    await gate.box.trust.allow('hall@hall', 'read', 'counter/value');
    for (let n = 0; n < 3; n++) hall.press('add 1');
    gate.press('add 1');
    await expect.poll(() => gate.status('show it'), SOON).toBe('sum 4');
    await expect.poll(() => hall.status('show it'), LATE).toBe('sum 4');

    await gate.stop();
    gate = await run(GATE, atGate);
    await using again = gate;
    await expect.poll(async () => (await hall.box.peers.list()).map(({ name }) => name), SOON).toEqual(['gate@gate']);
    hall.press('add 1');
    await expect.poll(() => again.status('show it'), LATE).toBe('sum 5');
    await expect.poll(() => hall.status('show it'), LATE).toBe('sum 5');
  }, 400_000);

  it('chat: a person in Pidgin is answered, and written to', async () => {
    await lan.avahi(3);
    await using alice = await startPurple(lan, 3, 'alice');
    const flow = changed(changed(example('chat'), 'lanpost box', { boxName: 'gate' }), 'to whom', { rules: [{ t: 'set', p: 'to', pt: 'msg', to: 'link:alice@desk', tot: 'str' }] });
    await using gate = await run(GATE, flow);
    await alice.event({ event: 'online', buddy: 'gate@gate' }, { timeout: 90_000 });
    await expect.poll(async () => (await gate.box.peers.list()).map(({ name }) => name), SOON).toEqual(['alice@desk']);

    gate.press('who is here?');
    await expect.poll(() => gate.got('peers').map(({ payload }) => (payload as { address: string }[]).map(({ address }) => address)), SOON).toEqual([['link:alice@desk']]);
    const says = (text: string): Promise<unknown> => alice.event((one) => one.event === 'im' && one.buddy === 'gate@gate' && one.text?.includes(text) === true, SOON);
    gate.press('say hello');
    await says('Hello from Node-RED!');
    await expect.poll(() => gate.got('handed over').map(({ payload }) => payload), SOON).toEqual(['Hello from Node-RED!']);
    alice.send('gate@gate', 'anybody there?');
    await says('You wrote');
    alice.send('gate@gate', 'time');
    await says('It is ');
    expect(gate.got('who wrote what')).toMatchObject([{ payload: 'anybody there?', from: 'link:alice@desk' }, { payload: 'time', from: 'link:alice@desk' }]);
    expect(gate.errors()).toEqual([]);
  }, 300_000);
});
