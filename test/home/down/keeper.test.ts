import { describe, expect, it } from 'vitest';
import { OWNER } from '../../../src/pubsub/actor.ts';
import { toPayload } from '../../../src/payload/payload.ts';
import { payloadToElement } from '../../../src/payload/xml.ts';
import { type Element, xml } from '../../../src/xmpp/element.ts';
import { Bell } from '../../support/bell.ts';
import { startFakeHome } from '../fake-home.ts';
import { createRig, type Rig } from '../rig.ts';

const RESCAN = { limits: { settle: 100, rescan: 50, again: 20 } };
const BOX = 'bbbbccccddddeeee';
const FRIEND = 'xmpp:friend@home.test';
const value = (one: Parameters<typeof toPayload>[0]): Element => payloadToElement(toPayload(one));
const idOf = (seq: number): string => `${BOX}-1.0000000a-${seq}`;
/** As another box publishes it. */
const record = (seq: number): Element =>
  xml('record', { xmlns: 'urn:lanpost:0', id: idOf(seq), seq: String(seq), stamp: '2026-01-02T03:04:05.000Z', ...(seq > 1 ? { previous: String(seq - 1) } : {}) }, value(`v${seq}`));
const view = async (rig: Rig): Promise<string[]> => (rig.log.topic('t') ? await rig.log.items('t') : []).map(({ payload }) => Buffer.from(payload?.bytes ?? '').toString());
const followed = (rig: Rig, index = 0): Promise<void> => rig.until(async () => {
  const down = (await rig.homes.list())[index]?.down;
  return down?.nodes === 1 && down.waiting === 0;
});

describe('a node that its home deletes', () => {
  it('leaves what has been set here of its topic, and who stands how to it', async () => {
    await using rig = await createRig(RESCAN);
    await rig.broker.create(OWNER, 't', { lane: 'latest', contentType: 'application/json', maxItems: 5, accessModel: 'whitelist' });
    await rig.broker.rights.change('t', (row) => row.set(FRIEND, 'member'));
    const { settings } = rig.log.topic('t')!;
    rig.home.publish('t', 'a', value({ a: 1 }));
    await rig.add({ topics: [], down: [{ node: 't' }] });
    await followed(rig);
    await rig.until(async () => (await view(rig)).join() === '{"a":1}');
    rig.home.deleteNode('t');
    await rig.until(async () => (await view(rig)).length === 0);
    expect(rig.log.topic('t')).toMatchObject({ deleted: false, settings });
    expect(rig.broker.rights.of('t')).toEqual([[FRIEND, 'member']]);
    // Made anew there, it is what it was here.
    rig.home.publish('t', 'b', xml('text', { xmlns: 'urn:example' }, 'no JSON'));
    rig.home.publish('t', 'c', value({ c: 1 }));
    await rig.until(async () => (await view(rig)).join() === '{"c":1}');
    expect(rig.troubles.map(({ kind }) => kind)).toContain('home.unfit');
  });

  it('and of whose topic nothing was said here, is deleted here, by the ways of any deletion', async () => {
    await using rig = await createRig(RESCAN);
    rig.home.publish('t', 'a', value(1));
    await rig.add({ topics: ['#'], down: [{ node: 't' }] });
    await followed(rig);
    await rig.until(async () => (await view(rig)).join() === '1');
    const ended: string[] = [];
    rig.broker.use({ isSubscribed: () => false, isApproved: () => false, affiliated: async () => {}, ending: () => () => Promise.resolve(), deleted: async (topic) => { ended.push(topic); } });
    rig.home.deleteNode('t');
    await rig.until(() => rig.log.topic('t')?.deleted === true);
    expect(ended).toEqual(['t']);
    await rig.drained();
    // It is the home's own word, and does not go back to it.
    expect(rig.home.stanzas.filter((stanza) => stanza.getChild('pubsub')?.getChild('delete'))).toEqual([]);
  });
});

describe.each(['history', 'latest'] as const)('a record that comes by one home after a newer one of its box by another, in the lane %s', (lane) => {
  it('does not take its place', async () => {
    await using rig = await createRig(RESCAN);
    const second = await startFakeHome(new Bell(), 'hub.test');
    await using _ = { [Symbol.asyncDispose]: () => second.close() };
    if (lane === 'latest') await rig.broker.create(OWNER, 't', { lane });
    const reader = await rig.log.cursor({ name: 'r', filter: 't', from: 'new', durable: true });
    const got = async (): Promise<string[]> => (await reader.next(10)).map(({ record: { kind, payload } }) => (kind === 'publish' ? Buffer.from(payload!.bytes).toString() : kind));
    rig.home.publish('t', 'state', record(1));
    second.nodes.set('t', new Map());
    await rig.add({ topics: [], down: [{ node: 't' }] });
    await followed(rig);
    await rig.homes.add({ ...second.account, service: 'pubsub.hub.test', topics: [], down: [{ node: 't' }] });
    await followed(rig, 1);
    await rig.until(async () => (await view(rig)).join() === 'v1');
    expect(await got()).toEqual(['v1']);
    // What its box had settled at the first home does not reach whoever is away from that; its group went on at the second.
    await rig.homes.pause('box@home.test');
    rig.home.publish('t', 'state', record(2));
    second.publish('t', 'state', record(3));
    await rig.until(async () => (await view(rig)).join() === 'v3');
    expect(await got()).toEqual(['v3']);
    await rig.homes.resume('box@home.test');
    await rig.until(() => rig.log.hasOrigin({ box: BOX, epoch: '1.0000000a', seq: 2 }, 't'));
    expect(await view(rig)).toEqual(['v3']);
    expect(rig.log.topic('t')).toMatchObject({ count: 1 });
    // Who reads the history has it as what it is; who wants the newest has that, and has lost nothing.
    expect(await got()).toEqual(lane === 'latest' ? [] : ['v2']);
    expect(await rig.log.gaps()).toEqual([]);
    await rig.homes.remove('box@hub.test');
  });
});
