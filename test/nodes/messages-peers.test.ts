import { describe, expect, it } from 'vitest';
import type { Box, Message, Peer, PeerEvent } from '../../src/index.ts';
import { collect, useFlows } from './flow-kit.ts';

const { flows, load } = useFlows();
const tab = { id: 'f', type: 'tab', label: 'test' };
const config = { id: 'box', type: 'lanpost box', mode: 'auto', dir: '', boxName: '', link: true };
const helper = (id: string): object => ({ id, type: 'helper', z: 'f' });

/** The far side is scripted: one message that came in, one peer that is there. What was sent and confirmed is kept. */
function scripted(): { box: Pick<Box, 'messages' | 'send' | 'peers' | 'troubles'>; sent: unknown[][]; acked: string[] } {
  const sent: unknown[][] = [];
  const acked: string[] = [];
  const message: Message = {
    id: 'm1', seq: 7, from: 'link:alice@pc', to: 'link:me@here', body: 'hi', thread: 't', time: 5, trust: 'none', redelivered: false,
    ack() { acked.push('m1'); },
  };
  const peer: Peer = { name: 'alice@pc', address: 'link:alice@pc', status: 'available', host: 'pc', port: 1, addresses: [], box: false, trust: 'none', connected: false };
  const until = (signal?: AbortSignal): Promise<void> => new Promise((resolve) => { signal?.addEventListener('abort', () => resolve(), { once: true }); });
  async function* messages(signal?: AbortSignal): AsyncGenerator<Message> { yield message; await until(signal); }
  async function* watch(signal?: AbortSignal): AsyncGenerator<PeerEvent> { yield { type: 'up', peer }; await until(signal); }
  async function* troubles(signal?: AbortSignal): AsyncGenerator<never> { await until(signal); yield* []; }
  return {
    sent, acked,
    box: {
      messages: (options) => Object.assign(messages(options?.signal), { close: () => Promise.resolve() }),
      peers: { list: () => Promise.resolve([peer]), watch: (options) => watch(options?.signal) },
      troubles: (options) => troubles(options?.signal),
      send: (...args) => {
        sent.push(args);
        const refused = args[0] === 'link:nobody';
        if (refused) return Promise.reject(Object.assign(new Error('nobody is there'), { name: 'LanpostError', code: 'unreachable' }));
        const done = Promise.resolve();
        const never = new Promise<void>(() => undefined);
        return Promise.resolve({ id: 'x', to: args[0], accepted: done, handed: done, delivered: never });
      },
    },
  };
}

describe('lanpost message in and lanpost message out', () => {
  it('a message comes with what the contract names and is confirmed once the flow has it', async () => {
    const { box, acked } = scripted();
    await load([tab, config, { id: 'in', type: 'lanpost message in', box: 'box', from: '', reader: '', z: 'f', wires: [['out']] }, helper('out')], { lanpost: { box } });
    expect(await collect(flows.getNode('out')).next()).toMatchObject({
      payload: 'hi', from: 'link:alice@pc', to: 'link:me@here', id: 'm1', thread: 't', time: 5, _msgid: expect.any(String),
      lanpost: { reader: 'in', id: 'm1', seq: 7, trust: 'none', redelivered: false },
    });
    expect(acked).toEqual(['m1']);
  });

  it.each(['alice@pc', 'link:alice@pc'])('gives only what comes from "%s" when told so', async (from) => {
    const { box } = scripted();
    await load([tab, config,
      { id: 'other', type: 'lanpost message in', box: 'box', from: 'bob@pc', reader: '', z: 'f', wires: [['not']] }, helper('not'),
      { id: 'in', type: 'lanpost message in', box: 'box', from, reader: '', z: 'f', wires: [['out']] }, helper('out'),
    ], { lanpost: { box } });
    const wrong = collect(flows.getNode('not'));
    expect((await collect(flows.getNode('out')).next()).payload).toBe('hi');
    expect(wrong.all).toEqual([]);
  });

  const sending = (to: string, until: string): object[] => [tab, config,
    { id: 'send', type: 'lanpost message out', box: 'box', to, until, z: 'f' },
    { id: 'on done', type: 'complete', scope: ['send'], z: 'f', wires: [['completed']] }, helper('completed'),
    { id: 'on error', type: 'catch', scope: null, z: 'f', wires: [['caught']] }, helper('caught'),
  ];

  it('sends to the node\'s address before msg.to, and passes id, subject, thread and expiry on', async () => {
    const { box, sent } = scripted();
    await load(sending('link:bob@pc', 'accepted'), { lanpost: { box } });
    const completed = collect(flows.getNode('completed'));
    flows.getNode('send').receive({ payload: { a: 1 }, to: 'link:other', id: 'mine', subject: 's', thread: 't', expires: 1000 });
    await completed.next();
    expect(sent).toEqual([['link:bob@pc', '{"a":1}', { id: 'mine', subject: 's', thread: 't', expires: 1000 }]]);
  });

  it('an answer is a new message: it does not carry the id of the one it answers', async () => {
    const { box, sent } = scripted();
    await load(sending('', 'handed'), { lanpost: { box } });
    const completed = collect(flows.getNode('completed'));
    flows.getNode('send').receive({ payload: 'yes', to: 'link:alice@pc', id: 'm1', thread: 't', lanpost: { id: 'm1' } });
    await completed.next();
    expect(sent).toEqual([['link:alice@pc', 'yes', { thread: 't' }]]);
  });

  it('what is refused goes to Catch; what waits for delivery is told when the flow stops', async () => {
    const { box } = scripted();
    await load(sending('', 'delivered'), { lanpost: { box } });
    const [caught, completed] = [collect(flows.getNode('caught')), collect(flows.getNode('completed'))];
    flows.getNode('send').receive({ payload: 'x', to: 'link:nobody' });
    expect((await caught.next()).error).toMatchObject({ message: expect.stringContaining('nobody is there') });
    flows.getNode('send').receive({ payload: 'y' });
    expect((await caught.next()).error).toMatchObject({ message: expect.stringContaining('msg.to') });
    flows.getNode('send').receive({ payload: 'z', to: 'link:alice@pc' });
    await flows.getNode('send').close(false);
    expect((await caught.next()).error).toMatchObject({ message: expect.stringContaining('deployed again') });
    expect(completed.all).toEqual([]);
  });
});

describe('lanpost peers', () => {
  it('gives events on the first output and, when asked, the list on the second', async () => {
    const { box } = scripted();
    await load([tab, config, { id: 'peers', type: 'lanpost peers', box: 'box', z: 'f', wires: [['events'], ['list']] }, helper('events'), helper('list')], { lanpost: { box } });
    expect(await collect(flows.getNode('events')).next()).toMatchObject({ topic: 'alice@pc', event: 'up', payload: { address: 'link:alice@pc', status: 'available' } });
    const list = collect(flows.getNode('list'));
    flows.getNode('peers').receive({ question: 1 });
    expect(await list.next()).toMatchObject({ question: 1, payload: [{ name: 'alice@pc' }] });
  });
});
