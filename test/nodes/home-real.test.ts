// The nodes with a home that is a real server.
import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Box, HomeOptions } from '../../src/index.ts';
import { eventually } from '../support/eventually.ts';
import { createHomeServer, type HomeServer } from '../support/homes.ts';
import { needs } from '../support/needs.ts';
import { useEmbeddingBox } from './embedding-box.ts';
import { collect, useFlows } from './flow-kit.ts';

const { flows, load } = useFlows();
const openBox = useEmbeddingBox(flows);
const helper = (id: string): object => ({ id, type: 'helper', z: 'f' });
const around = (of: string): object[] => [
  { id: 'f', type: 'tab', label: 'test' }, { id: 'box', type: 'lanpost box', mode: 'auto', dir: '', boxName: '', link: false },
  { id: 'on done', type: 'complete', scope: [of], z: 'f', wires: [['completed']] }, helper('completed'),
  { id: 'on error', type: 'catch', scope: null, z: 'f', wires: [['caught']] }, helper('caught'),
];

describe.skipIf(!needs('prosody'))('with a home on Prosody', () => {
  let server: HomeServer;
  beforeEach(async () => {
    server = await createHomeServer('prosody');
    await server.start();
  });
  afterEach(async () => { await server?.down(); });

  const accountOf = (name: 'edge1' | 'edge2', topics: readonly string[] = []): HomeOptions => ({ ...server.account(name), host: server.host, port: server.port, ca: readFileSync(server.ca, 'utf8'), topics });
  const online = (box: Box): Promise<void> => eventually(async () => (await box.homes.list())[0]?.state === 'online', { within: 60_000 });

  it('lanpost request goes on with what the server answers to an IQ; what it refuses goes to Catch with its condition', async () => {
    const box = await openBox();
    await box.homes.add(accountOf('edge1'));
    await online(box);
    await load([...around('ask'), { id: 'ask', type: 'lanpost request', box: 'box', to: `xmpp:${server.domain}`, kind: 'get', command: '', timeout: '30', z: 'f', wires: [['answer']] }, helper('answer')], { lanpost: { box } });
    const [answers, completed, caught] = [collect(flows.getNode('answer')), collect(flows.getNode('completed')), collect(flows.getNode('caught'))];
    flows.getNode('ask').receive({ payload: '<query xmlns="jabber:iq:version"/>', kept: 1 });
    expect(await answers.next()).toMatchObject({ payload: expect.stringMatching(/^<query xmlns='jabber:iq:version'><name>Prosody<\/name>.*<\/query>$/), from: `xmpp:${server.domain}`, kept: 1 });
    await completed.next();
    flows.getNode('ask').receive({ payload: '<nonsense xmlns="urn:example:nobody-knows"/>' });
    expect((await caught.next()).error).toMatchObject({ code: 'unsupported' });
    expect([answers.all.length, completed.all.length]).toEqual([1, 1]);
  });

  it('lanpost publish is done when the home has the item, and not while the server is down', async () => {
    const box = await openBox();
    const { jid } = server.account('edge1');
    await box.homes.add(accountOf('edge1', ['plant/#']));
    const other = await openBox();
    await other.homes.add(accountOf('edge2'));
    await online(box);
    /** What is in the home, as another account is told by the server. */
    const there = (): Promise<string> => other.request(`xmpp:${server.service}`, '<pubsub xmlns="http://jabber.org/protocol/pubsub"><items node="plant/boiler"/></pubsub>', { timeout: 20_000 })
      .then((answer) => answer ?? '', (error: unknown) => String(error));
    await server.stop();
    await load([...around('pub'), { id: 'pub', type: 'lanpost publish', configVersion: 3, prefer: 'node', box: 'box', topic: 'plant/boiler', contentType: '', until: 'delivered', reader: `xmpp:${jid}`, z: 'f' }], { lanpost: { box } });
    const [completed, caught] = [collect(flows.getNode('completed')), collect(flows.getNode('caught'))];
    flows.getNode('pub').receive({ payload: 'ninety degrees' });
    await expect.poll(async () => (await box.homes.list())[0]).toMatchObject({ queued: 1, state: expect.stringMatching(/^(connecting|waiting)$/) });
    // It is on the disk, and was tried in vain.
    expect(await box.items('plant/boiler')).toHaveLength(1);
    expect(completed.all).toEqual([]);
    await server.start();
    await online(other);
    expect((await completed.next()).payload).toBe('ninety degrees');
    expect(await there()).toContain('ninety degrees');
    expect(caught.all).toEqual([]);
  }, 300_000);
});
