import { mkdirSync, mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { attachBox, type Box, type Item, type Message } from '../../src/index.ts';
import { type BoxProcess, startBox } from '../support/box.ts';
import { type JsonLines, readJsonLines } from '../support/json-lines.ts';
import { createLan, type Lan } from '../support/lan.ts';
import { needs } from '../support/needs.ts';
import { type Purple, startPurple } from '../support/purple.ts';
import { ROOT } from '../support/root.ts';

type Body = Readonly<Record<string, unknown>>;
type StartLine = Body & { readonly event: string; readonly editor?: string };
type Until = 'accepted' | 'handed' | 'delivered';
const UNTIL: readonly Until[] = ['accepted', 'handed', 'delivered'];

const node = (id: string, type: string, wires: readonly (readonly string[])[], more: object = {}): object => ({ id, type, z: 'tab', wires, ...more });
const ours = (id: string, kind: string, wires: readonly (readonly string[])[], more: object = {}): object => node(id, `lanpost ${kind}`, wires, { box: 'box', ...more });
const code = (id: string, func: string, wires: readonly (readonly string[])[]): object => node(id, 'function', wires, { func, outputs: wires.length });
const publish = (id: string, topic: string): object => ours(id, 'publish', [], { topic, contentType: '' });
const subscribe = (id: string, filter: string, to: string): object => ours(id, 'subscribe', [[to]], { filter, durable: true, reader: '', from: 'start', changes: false });

/** The test speaks to the flow through the topics `do/…`, and the flow answers in the topics `flow/…`. */
const FLOW: readonly object[] = [
  { id: 'tab', type: 'tab', label: 'on the LAN' },
  { id: 'box', type: 'lanpost box', mode: 'auto', dir: '', boxName: '', link: true },
  // Answers whoever writes, and tells what came.
  ours('in', 'message in', [['answer', 'tell']], { from: '', reader: '' }),
  code('answer', 'if (msg.thread === "bulk") return null; msg.to = msg.from; msg.payload = "re: " + msg.payload; return msg;', [['reply']]),
  ours('reply', 'message out', [], { to: '', until: 'handed' }),
  code('tell', 'if (msg.thread === "bulk") return null; return { payload: { body: msg.payload, from: msg.from, to: msg.to, trust: msg.lanpost.trust, reader: msg.lanpost.reader } };', [['came']]),
  publish('came', 'flow/came'),
  // Who is there.
  ours('peers', 'peers', [['event'], ['list']]),
  code('event', 'return { payload: { event: msg.event, topic: msg.topic, ...msg.payload } };', [['events']]),
  publish('events', 'flow/peers'), publish('list', 'flow/list'),
  subscribe('ask', 'do/list', 'peers'),
  // Sends when told to, and tells how it went.
  subscribe('told', 'do/send/+', 'which'),
  code('which', `const n = ${JSON.stringify(UNTIL)}.indexOf(msg.topic.split("/")[2]);
    const out = [null, null, null]; out[n] = { ...msg.payload, payload: msg.payload.body }; return out;`, UNTIL.map((until) => [`send ${until}`])),
  ...UNTIL.map((until) => ours(`send ${until}`, 'message out', [], { to: '', until })),
  node('completed', 'complete', [['how']], { scope: UNTIL.map((until) => `send ${until}`) }),
  node('caught', 'catch', [['how']], { scope: UNTIL.map((until) => `send ${until}`) }),
  code('how', 'const { id, error } = msg; return error ? [null, { payload: { id, code: error.code ?? null, message: error.message, source: error.source.id } }] : [{ payload: { id } }, null];', [['done'], ['failed']]),
  publish('done', 'flow/done'), publish('failed', 'flow/failed'),
  // Asks whoever it is told to.
  subscribe('to ask', 'do/ask', 'whom'), code('whom', 'return { to: msg.payload.to, payload: msg.payload.iq };', [['iq']]),
  ours('iq', 'request', [['answered']], { to: '', kind: 'get', command: '', timeout: '30' }),
  code('answered', 'return { payload: { answer: msg.payload, from: msg.from } };', [['answers']]), publish('answers', 'flow/answer'),
  // In bulk, from node to node with nothing between.
  ours('keep', 'message in', [['kept']], { from: 'B@h2', reader: 'keeper' }), publish('kept', 'flow/kept'),
  subscribe('more', 'do/bulk', 'send bulk'), ours('send bulk', 'message out', [], { to: 'link:B@h2', until: 'accepted' }),
];

/** Everything a source gives, in order, to be waited for. */
class Heard<T> {
  readonly all: T[] = [];
  readonly #waiting = new Set<() => void>();

  constructor(source: AsyncIterable<T>) {
    void (async () => {
      for await (const one of source) {
        this.all.push(one);
        for (const look of this.#waiting) look();
      }
    })().catch(() => { /* the box has gone: who waits times out */ });
  }

  /** Resolves with what `pick` makes of all there is, as soon as it makes something of it. */
  until<R>(pick: (all: readonly T[]) => R | undefined, within: number = 30_000): Promise<R> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        const found = pick(this.all);
        if (found === undefined) return;
        clearTimeout(timer);
        this.#waiting.delete(look);
        resolve(found);
      };
      const timer = setTimeout(() => {
        this.#waiting.delete(look);
        reject(new Error(`${within} ms passed while waiting for ${pick.toString()}; the last that came:\n${this.all.slice(-20).map((one) => JSON.stringify(one).slice(0, 300)).join('\n')}`));
      }, within);
      this.#waiting.add(look);
      look();
    });
  }

  first(fits: (one: T) => boolean, within?: number): Promise<T> {
    return this.until((all) => all.find(fits), within);
  }
}

describe.skipIf(!needs('root', 'avahi-daemon', 'libpurple'))('a flow in the embedded editor, another box and libpurple on a real LAN', () => {
  const stop = new AbortController();
  const { signal } = stop;
  let folder: string, lan: Lan, alice: Purple, b: BoxProcess;
  let a: JsonLines<StartLine> & { readonly pid: number; end(): Promise<number | null> };
  let boxA: Box, boxB: Box;
  let editor: string;
  /** What the flow published, and what B was told. */
  let flow: Heard<Item>, toB: Heard<Message>;

  const dir = (name: string): string => join(folder, name);
  async function startEditorBox(): Promise<typeof a> {
    mkdirSync(join(dir('a'), 'node-red'), { recursive: true, mode: 0o700 });
    writeFileSync(join(dir('a'), 'node-red/flows.json'), JSON.stringify(FLOW));
    const child = lan.exec(1, process.execPath, [join(ROOT, 'dist/src/cli/main.js'), 'start', '--name', 'A', '--editor-port', '0', '--json', '--dir', dir('a')]);
    const said = readJsonLines<StartLine>(child, 'lanpost start');
    const { editor: url } = await said.wait((line) => line.event === 'ready', { timeout: 30_000 });
    editor = url ?? '';
    return Object.assign(said, { pid: child.pid ?? 0, end: () => { child.kill('SIGINT'); return said.ended; } });
  }
  async function startB(): Promise<void> {
    b = await startBox({ dir: dir('b'), name: 'B', lan, host: 2 });
    boxB = await b.attach();
    toB = new Heard(boxB.messages({ name: 'test', signal }));
  }
  async function* items(box: Box): AsyncGenerator<Item> {
    for await (const one of box.subscribe('flow/#', { from: 'start', signal })) if (one.kind === 'item') yield one;
  }
  const value = (item: Item): Body => item.value as Body;
  const on = (topic: string, what: Body) => (item: Item): boolean => item.topic === topic && Object.entries(what).every(([key, wanted]) => value(item)[key] === wanted);
  const tell = (until: Until, id: string, to: string, body = `${until} ${id}`): Promise<unknown> => boxA.publish(`do/send/${until}`, { id, to, body });

  /** From within the host: the editor listens on its loopback alone. */
  async function deploy(flows: readonly object[]): Promise<void> {
    const script = `const [url, body] = process.argv.slice(1);
      const answer = await fetch(url, { method: 'POST', body, headers: { 'content-type': 'application/json', 'node-red-api-version': 'v2', 'node-red-deployment-type': 'full' } });
      if (!answer.ok) throw new Error(answer.status + ' ' + await answer.text());`;
    await lan.run(1, process.execPath, ['--input-type=module', '-e', script, editor.replace('/?', '/flows?'), JSON.stringify({ flows })]);
  }
  const sockets = (): number => readdirSync(`/proc/${a.pid}/fd`).filter((fd) => {
    try {
      return readlinkSync(`/proc/${a.pid}/fd/${fd}`).startsWith('socket:');
    } catch {
      return false; // closed between the two looks
    }
  }).length;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'lanpost-nodes-'));
    lan = await createLan(3);
    await lan.avahi(3);
    a = await startEditorBox();
    boxA = await attachBox({ dir: dir('a') });
    flow = new Heard(items(boxA));
    [alice] = await Promise.all([startPurple(lan, 3, 'alice'), startB()]);
  });
  afterAll(async () => {
    stop.abort();
    await Promise.all([boxA?.close(), boxB?.close()]);
    await lan?.down();
    rmSync(folder, { recursive: true, force: true });
  });

  it('lanpost peers tells who comes and who changes, and lists them when asked', async () => {
    const up = await Promise.all(['B@h2', 'alice@h3'].map((name) => flow.first(on('flow/peers', { event: 'up', name }))));
    expect(up.map(value)).toMatchObject([
      { topic: 'B@h2', address: 'link:B@h2', status: 'available', box: true, host: expect.stringMatching(/^h2\b/) },
      { topic: 'alice@h3', address: 'link:alice@h3', status: 'available', box: false },
    ]);
    await boxB.setStatus('away', 'at lunch');
    await flow.first(on('flow/peers', { event: 'changed', name: 'B@h2', status: 'away', statusText: 'at lunch' }));
    alice.command('status away back soon');
    await flow.first(on('flow/peers', { event: 'changed', name: 'alice@h3', status: 'dnd', statusText: 'back soon' })); // libpurple's word for away
    await boxA.publish('do/list', 'who is there?');
    const { value: list } = await flow.first((item) => item.topic === 'flow/list');
    expect(new Set((list as Body[]).map((peer) => peer['name']))).toEqual(new Set(['B@h2', 'alice@h3']));
  });

  it('what a box and libpurple write arrives in the flow, and its answer with them', async () => {
    await (await boxB.send('link:A@h1', 'grüße 👋 <&>', { thread: 't' })).delivered;
    expect(await toB.first((message) => message.body === 're: grüße 👋 <&>')).toMatchObject({ from: 'link:A@h1', thread: 't' });
    const after = alice.events.length;
    alice.send('A@h1', 'hello, box');
    expect((await alice.event({ event: 'im', buddy: 'A@h1' }, { after })).text).toContain('re: hello, box');
    const came = await Promise.all(['link:B@h2', 'link:alice@h3'].map((from) => flow.first(on('flow/came', { from }))));
    expect(came.map(value)).toEqual([
      { body: 'grüße 👋 <&>', from: 'link:B@h2', to: 'link:A@h1', trust: 'seen', reader: 'in' },
      { body: 'hello, box', from: 'link:alice@h3', to: 'link:A@h1', trust: 'none', reader: 'in' },
    ]);
  });

  it('Complete comes when the peer has it, Catch with the code when it cannot', async () => {
    const after = alice.events.length;
    await tell('delivered', 'confirmed', 'link:B@h2');
    await tell('handed', 'shown', 'link:alice@h3');
    await tell('delivered', 'never confirmed', 'link:alice@h3');
    await tell('accepted', 'nobody', 'link:nobody@nowhere');
    await tell('accepted', 'no address', '');
    await Promise.all(['confirmed', 'shown'].map((id) => flow.first(on('flow/done', { id }))));
    expect(toB.all.map((message) => message.id)).toContain('confirmed');
    await alice.event((event) => event.event === 'im' && event.text?.includes('handed shown') === true, { after });
    const failed = await Promise.all(['never confirmed', 'nobody', 'no address'].map((id) => flow.first(on('flow/failed', { id }))));
    expect(failed.map(value)).toMatchObject([
      { code: 'unsupported', source: 'send delivered' },
      { code: 'unreachable', source: 'send accepted', message: expect.stringContaining('link:nobody@nowhere') },
      { code: null, source: 'send accepted', message: expect.stringContaining('msg.to') },
    ]);
  });

  it('lanpost request goes on with what the other box answers to an IQ, and with who answered', async () => {
    const ask = async (to: string, iq: string): Promise<Body> => {
      await boxA.publish('do/ask', { to, iq });
      return value(await flow.first(on('flow/answer', { from: to })));
    };
    const { answer: version } = await ask('link:B@h2', '<query xmlns="jabber:iq:version"/>');
    expect(version).toMatch(/^<query xmlns='jabber:iq:version'><name>lanpost<\/name><version>\d[^<]*<\/version>.*<\/query>$/);
    expect(version).toContain(`<version>${(await boxB.status()).version}</version>`);
  });

  it('while a box is away, what waits for it is done only when it has come back and has it', async () => {
    await boxB.close();
    expect(await b.stop()).toBe(0);
    await flow.first(on('flow/peers', { event: 'down', name: 'B@h2' }));
    const ups = flow.all.filter(on('flow/peers', { event: 'up', name: 'B@h2' })).length;
    for (const until of UNTIL.toReversed()) await tell(until, `away ${until}`, 'link:B@h2');
    const accepted = await flow.first(on('flow/done', { id: 'away accepted' }));
    expect(await boxA.messageState('away delivered')).toBe('accepted');
    const { seq: mark } = await boxA.publish('flow/mark', {});
    await startB();
    const [handed, delivered] = await Promise.all(['away handed', 'away delivered'].map((id) => flow.first(on('flow/done', { id }))));
    expect(accepted.seq).toBeLessThan(mark);
    expect(handed?.seq).toBeGreaterThan(mark);
    expect(delivered?.seq).toBeGreaterThan(mark);
    expect(await boxA.messageState('away delivered')).toBe('delivered');
    await flow.until((all) => all.filter(on('flow/peers', { event: 'up', name: 'B@h2' })).length > ups || undefined);
    await toB.first((message) => message.id === 'away accepted');
    expect(toB.all.map((message) => message.id).filter((id) => id.startsWith('away'))).toEqual(UNTIL.toReversed().map((until) => `away ${until}`));
  });

  it('deployments in the middle of it all lose nothing, double nothing and leave nothing behind', async () => {
    const readers = async (): Promise<string[]> => (await boxA.subscriptions.list()).filter((one) => !one.name.startsWith('mail:')).map((one) => `${one.durable ? one.name : one.reader} ${one.filter}`).toSorted();
    const before = { readers: await readers(), sockets: sockets() };
    const N = 300;
    const ids = Array.from({ length: N }, (_, n) => `bulk ${n}`);
    let deployed = 0;
    const sent = new AbortController();
    const deployments = async (): Promise<void> => { for (; !sent.signal.aborted || deployed < 5; deployed++) await deploy(FLOW); };
    const messages = async (): Promise<void> => {
      try {
        for (const id of ids) {
          await Promise.all([boxA.publish('do/bulk', `for B ${id}`, { id }), boxB.send('link:A@h1', `for A ${id}`, { id, thread: 'bulk' })]);
          // Spread over the deployments: now and then it waits for the flow.
          if (id.endsWith('9')) await Promise.all([flow.first((item) => item.topic === 'flow/kept' && item.id === id), toB.first((message) => message.body === `for B ${id}`)]);
        }
      } finally {
        sent.abort();
      }
    };
    await Promise.all([messages(), deployments()]);
    await Promise.all([
      flow.until((all) => all.filter((item) => item.topic === 'flow/kept' && item.id.startsWith('bulk')).length >= N || undefined),
      toB.until((all) => all.filter((message) => message.body.startsWith('for B bulk')).length >= N || undefined),
    ]);
    const kept = flow.all.filter((item) => item.topic === 'flow/kept' && item.id.startsWith('bulk'));
    expect(kept.map((item) => item.id).toSorted()).toEqual(ids.toSorted());
    expect(new Set(kept.map((item) => item.value))).toEqual(new Set(ids.map((id) => `for A ${id}`)));
    expect(toB.all.filter((message) => message.body.startsWith('for B bulk')).map((message) => message.body).toSorted()).toEqual(ids.map((id) => `for B ${id}`).toSorted());

    const lists = flow.all.filter((item) => item.topic === 'flow/list').length;
    await boxA.publish('do/list', 'is the flow there?');
    await flow.until((all) => all.filter((item) => item.topic === 'flow/list').length > lists || undefined);
    console.info(`${deployed} deployments while ${N} messages went each way; sockets ${before.sockets}, then ${sockets()}`);
    expect(await readers()).toEqual(before.readers);
    expect(sockets()).toBeLessThanOrEqual(before.sockets + 3);
  });

  it('nothing of this was trouble, and Ctrl-C ends it', async () => {
    expect((await boxA.status()).troubles).toEqual({});
    await boxA.close();
    expect(await a.end()).toBe(0);
    expect(a.stderr).toBe('');
  });
});
