import { describe, expect, it } from 'vitest';
import type { Box } from '../../src/index.ts';
import { useEmbeddingBox } from './embedding-box.ts';
import { collect, useFlows } from './flow-kit.ts';

const { flows, load } = useFlows();
const openBox = useEmbeddingBox(flows);
const tab = { id: 'f', type: 'tab', label: 'test' };
const config = { id: 'box', type: 'lanpost box', mode: 'auto', dir: '', boxName: '', link: true };
const helper = (id: string, to?: string): object => ({ id, type: 'helper', z: 'f', ...(to === undefined ? {} : { wires: [[to]] }) });
const offering = (more: object = {}): object[] => [tab, config,
  { id: 'in', type: 'lanpost command in', box: 'box', command: 'double', title: 'Twice', timeout: '', fields: [], z: 'f', wires: [['work']], ...more }, helper('work'),
  { id: 'out', type: 'lanpost command out', outcome: '', code: '', z: 'f' },
  { id: 'on error', type: 'catch', scope: null, z: 'f', wires: [['caught']] }, helper('caught'),
];
async function offered(box: Box): Promise<void> {
  await expect.poll(() => box.commands.list(), { timeout: 20_000 }).not.toEqual([]);
}

describe('lanpost command in and out', () => {
  it('a command is run by the flow, with what it is given, and answered', async () => {
    const box = await openBox();
    await load(offering(), { lanpost: { box } });
    await offered(box);
    const came = collect(flows.getNode('work'));
    for (const value of [21, 0, false, '', null, { a: 1 }]) {
      const run = box.commands.run('link:me', 'double', value);
      const msg = await came.next();
      expect(msg).toMatchObject({ payload: value, topic: 'double', _msgid: expect.any(String), lanpost: { command: 'double', node: 'in', call: expect.any(String), trust: 'paired' } });
      flows.getNode('out').receive({ ...JSON.parse(JSON.stringify(msg)) as object, payload: { got: value } });
      expect(await run).toEqual({ got: value });
    }
  });

  it('every field may have ${NAME} in it, those of its form, too', async () => {
    const box = await openBox();
    const env = [['WHAT', 'dose'], ['UNIT', 'litres'], ['KIND', 'number'], ['MUST', 'true']].map(([name, value]) => ({ name, type: 'str', value }));
    const fields = [{ name: '${WHAT}', label: 'How many ${UNIT}', kind: '${KIND}', options: '', required: '${MUST}' }, { name: 'way', label: '', kind: 'list', options: 'up, ${WHAT}', required: true }];
    const [, ...rest] = offering({ command: 'pump/${WHAT}', title: 'A ${WHAT}', fields });
    const offers: unknown[] = [];
    const offer = box.commands.offer.bind(box.commands);
    Object.assign(box.commands, { offer: (...given: Parameters<typeof offer>) => { offers.push(given[2]); return offer(...given); } });
    await load([{ ...tab, env }, ...rest], { lanpost: { box } });
    await expect.poll(() => box.commands.list(), { timeout: 20_000 }).toEqual([{ name: 'pump/dose', title: 'A dose' }]);
    expect(offers).toEqual([{ title: 'A dose', fields: [{ name: 'dose', label: 'How many litres', kind: 'number', required: true }, { name: 'way', kind: 'list', options: ['up', 'dose'], required: true }] }]);
  });

  it('fails with the words and the code that it is given; what a Catch node has is an error by itself', async () => {
    const box = await openBox();
    await load(offering(), { lanpost: { box } });
    await offered(box);
    const came = collect(flows.getNode('work'));
    const run = async (answer: object): Promise<unknown> => {
      const running = box.commands.run('link:me', 'double', 1).catch((error: unknown) => error);
      flows.getNode('out').receive({ ...await came.next(), ...answer });
      return running;
    };
    expect(await run({ error: { message: 'the pump is dry' } })).toMatchObject({ code: 'failed', message: 'the pump is dry' });
    expect(await run({ error: { message: 'which?' }, code: 'invalid-value' })).toMatchObject({ code: 'invalid-value', message: 'which?' });
    expect(await run({ payload: () => 1 })).toMatchObject({ code: 'invalid-value' });
  });

  it('an answer that nobody waits for goes to Catch, and so does one without its origin', async () => {
    const box = await openBox();
    await load(offering({ timeout: '0.2' }), { lanpost: { box } });
    await offered(box);
    const [came, caught] = [collect(flows.getNode('work')), collect(flows.getNode('caught'))];
    await expect(box.commands.run('link:me', 'double', 1)).rejects.toMatchObject({ code: 'timeout' });
    const late = await came.next();
    flows.getNode('out').receive(late);
    expect((await caught.next()).error).toMatchObject({ message: expect.stringContaining('nobody waits') });
    flows.getNode('out').receive({ payload: 1 });
    expect((await caught.next()).error).toMatchObject({ message: expect.stringContaining('msg.lanpost') });
  });

  it('thirty deployments leave one offer and no listener; a caller whose flow goes is told', async () => {
    const box = await openBox();
    const flow = offering();
    await load(flow, { lanpost: { box } });
    await offered(box);
    const came = collect(flows.getNode('work'));
    const cut = box.commands.run('link:me', 'double', 1).catch((error: unknown) => error);
    await came.next();
    for (let n = 0; n < 30; n++) await flows.setFlows(flow);
    expect(await cut).toMatchObject({ code: 'closed' });
    await offered(box);
    expect(await box.commands.list()).toEqual([{ name: 'double', title: 'Twice' }]);
    await flows.unload();
    expect(await box.commands.list()).toEqual([]);
  });

  it('the name may come from the flow, and a second of one name says so', async () => {
    const box = await openBox();
    const [, ...rest] = offering({ command: '${ROOM}/light' });
    await load([{ ...tab, env: [{ name: 'ROOM', value: 'hall', type: 'str' }] }, ...rest,
      { id: 'again', type: 'lanpost command in', box: 'box', command: 'hall/light', z: 'f', wires: [[]] },
      { id: 'said', type: 'status', scope: ['in', 'again'], z: 'f', wires: [['status']] }, helper('status')], { lanpost: { box } });
    const status = collect(flows.getNode('status'));
    await offered(box);
    for (;;) {
      const { text = '' } = (await status.next()).status as unknown as { text?: string };
      if (text.startsWith('conflict')) break;
    }
    expect((await box.commands.list()).map(({ name }) => name)).toEqual(['hall/light']);
  });
});

describe('lanpost request', () => {
  const asking = (more: object = {}): object[] => [tab, config,
    { id: 'ask', type: 'lanpost request', box: 'box', to: 'link:me', kind: 'command', command: '', timeout: '', z: 'f', wires: [['answer']], ...more }, helper('answer'),
    { id: 'on error', type: 'catch', scope: null, z: 'f', wires: [['caught']] }, helper('caught'),
    { id: 'on done', type: 'complete', scope: ['ask'], z: 'f', wires: [['completed']] }, helper('completed'),
  ];

  it('goes on with the answer; the rest of the message is kept', async () => {
    const box = await openBox();
    await box.commands.offer('echo', ({ value }) => (value === 'bytes' ? Uint8Array.of(1) : value === 'nothing' ? undefined : { value }));
    await load(asking(), { lanpost: { box } });
    const [answers, completed] = [collect(flows.getNode('answer')), collect(flows.getNode('completed'))];
    flows.getNode('ask').receive({ command: 'echo', payload: 0, kept: 1 });
    expect(await answers.next()).toMatchObject({ payload: { value: 0 }, from: 'link:me', kept: 1 });
    await completed.next();
    flows.getNode('ask').receive({ command: 'echo', payload: 'bytes' });
    expect(Buffer.isBuffer((await answers.next()).payload)).toBe(true);
    flows.getNode('ask').receive({ command: 'echo', payload: 'nothing' });
    expect((await answers.next()).payload).toBeNull();
  });

  it.each([
    ['a time that is over', { command: 'slow', payload: 1, timeout: 100 }, { code: 'timeout' }],
    ['a command that is not there', { command: 'none' }, { code: 'not-found' }],
    ['one who is not there', { command: 'echo', to: 'link:nobody' }, { message: expect.stringContaining('link is off') }],
    ['no command', {}, { message: expect.stringContaining('msg.command') }],
    ['busy, without trying on', { command: 'busy' }, { code: 'busy' }],
  ])('%s goes to Catch', async (_what, msg, error) => {
    const box = await openBox();
    const { LanpostError } = await import('../../src/index.ts');
    await box.commands.offer('slow', () => new Promise(() => undefined));
    await box.commands.offer('busy', () => { throw new LanpostError('busy', 'not now'); });
    await load(asking('to' in msg ? { to: '' } : {}), { lanpost: { box } });
    const [caught, completed] = [collect(flows.getNode('caught')), collect(flows.getNode('completed'))];
    flows.getNode('ask').receive(msg);
    expect((await caught.next()).error).toMatchObject(error);
    expect(completed.all).toEqual([]);
  });

  it('an IQ is XML, and nothing else', async () => {
    const box = await openBox();
    await load(asking({ kind: 'get', to: 'xmpp:a@b.example' }), { lanpost: { box } });
    const caught = collect(flows.getNode('caught'));
    flows.getNode('ask').receive({ payload: { not: 'xml' } });
    expect((await caught.next()).error).toMatchObject({ message: expect.stringContaining('XML') });
    flows.getNode('ask').receive({ payload: '<query xmlns="jabber:iq:version"/>' });
    expect((await caught.next()).error).toMatchObject({ code: 'unreachable' });
  });

  it('what is under way when the flow stops is told', async () => {
    const box = await openBox();
    let began: (() => void) | undefined;
    const begun = new Promise<void>((resolve) => { began = resolve; });
    await box.commands.offer('slow', () => { began?.(); return new Promise(() => undefined); });
    await load(asking({ command: 'slow' }), { lanpost: { box } });
    const caught = collect(flows.getNode('caught'));
    flows.getNode('ask').receive({ payload: 1 });
    await begun;
    await flows.getNode('ask').close(false);
    expect((await caught.next()).error).toMatchObject({ message: expect.stringContaining('deployed again') });
  });
});
