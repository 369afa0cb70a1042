import { describe, expect, it } from 'vitest';
import { recordsOf, type HomeRecord } from '../../src/home/pack-element.ts';
import type { MemoryDatabase } from '../../src/log/memory-database.ts';
import { fromPayload } from '../../src/payload/payload.ts';
import { attr, children, xml, type Element } from '../../src/xmpp/element.ts';
import type { StanzaError } from '../../src/xmpp/stanza-error.ts';
import { createRig, type Rig } from './rig.ts';
import { stored } from './stored.ts';

const HOUR = 3_600_000;
const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);
const asItem = (id: string, payload: Element): Element => xml('item', { id }, payload);
const valuesOf = (records: readonly HomeRecord[]): unknown[] => records.map(({ payload }) => payload && fromPayload(payload));
const published = (rig: Rig): Element[] => rig.home.stanzas.flatMap((stanza) => stanza.getChild('pubsub')?.getChild('publish')?.getChild('item') ?? []);
const isPack = (item: Element): boolean => item.getChild('pack') !== undefined;
const up = [{ filter: '#', pack: true }] as const;

/** A backlog from while the home was away. */
async function backlog(rig: Rig, topic: string, count: number): Promise<void> {
  await rig.publish(topic, ...range(0, count));
}

describe('packs', () => {
  it('what piled up goes several in one item, each record once, in order and readable by itself', async () => {
    await using rig = await createRig();
    await backlog(rig, 't', 2_000);
    await rig.add({ topics: [], up });
    await rig.drained();
    const items = published(rig);
    expect(items.length).toBeLessThan(200);
    expect(valuesOf(stored(rig.home, 't'))).toEqual(range(0, 2_000));
    const pack = items.find(isPack)?.getChild('pack');
    const inside = pack?.getChildren('record') ?? [];
    expect(attr(pack ?? xml('x'), 'id')).toMatch(/^aaaabbbbccccdddd-\d+\.[0-9a-f]{8}-\d+\.\.\d+$/);
    expect(attr(pack ?? xml('x'), 'id')).toBe(`${recordsOf(asItem('', pack ?? xml('x')))[0]?.recordId}..${attr(inside.at(-1) ?? xml('x'), 'seq')}`);
    expect(attr(inside[0] ?? xml('x'), 'stamp')).toMatch(/^\d{4}-/);
    expect(children(inside[0] ?? xml('x'))[0]?.getName()).toBe('json');
  });

  it('what a process before has read goes in packs with what follows it', async () => {
    await using rig = await createRig();
    rig.home.set.wire = () => { rig.home.cut(); };
    await backlog(rig, 't', 1_500);
    await rig.add({ topics: [], up });
    await rig.until(() => rig.held().includes('t'));
    await rig.restart();
    await rig.publish('t', ...range(1_500, 6_000));
    rig.home.set.wire = () => undefined;
    await rig.drained();
    expect(valuesOf(stored(rig.home, 't'))).toEqual(range(0, 6_000));
    expect(published(rig).filter((item) => !isPack(item)).length).toBeLessThan(20);
  });

  it('what went alone goes alone again after a restart, also where newer items have driven the first of it out of the node', async () => {
    await using rig = await createRig({ limits: { settle: HOUR } });
    rig.home.set.before = (): void => {
      const node = rig.home.nodes.get('t');
      for (const id of [...node?.keys() ?? []].slice(0, -20)) node?.delete(id);
    };
    await rig.add({ topics: [], up });
    for (const n of range(0, 50)) {
      await rig.publish('t', ...range(n * 3, n * 3 + 3));
      await rig.until(() => published(rig).length === (n + 1) * 3);
      await rig.acknowledged('t', rig.count('t'));
    }
    // The process before did not get to these.
    await rig.homes.close();
    await rig.publish('t', ...range(150, 250));
    await rig.restart({ limits: { settle: 100 } });
    await rig.drained();
    const ids = stored(rig.home, 't').map(({ recordId }) => recordId);
    expect(ids).toHaveLength(new Set(ids).size);
    expect(published(rig).some(isPack)).toBe(true);
  });

  it('what is published while nothing waits goes alone', async () => {
    await using rig = await createRig();
    await rig.add({ topics: [], up });
    for (const n of range(0, 5)) {
      await rig.publish('t', n);
      await rig.acknowledged('t', n + 1);
    }
    expect(published(rig).some(isPack)).toBe(false);
  });

  it('an item with an id of its own, a retraction and a record of the lane latest are in no pack', async () => {
    await using rig = await createRig();
    await rig.log.append({ topic: 'l', kind: 'configure', config: { lane: 'latest', maxItems: 100 } });
    await backlog(rig, 't', 20);
    await rig.item('t', 'mine', 'x');
    await rig.log.append({ topic: 't', kind: 'retract', id: 'mine' });
    await rig.publish('t', ...range(20, 40));
    await backlog(rig, 'l', 20);
    await rig.add({ topics: [], up });
    await rig.drained();
    expect(valuesOf(stored(rig.home, 't'))).toEqual(range(0, 40));
    expect(rig.home.nodes.get('t')?.has('mine')).toBe(false);
    expect([...rig.home.nodes.get('l')?.values() ?? []].every((record) => record.getName() === 'record')).toBe(true);
  });

  it('sent again, by another process too, a pack has the same records in it', async () => {
    await using rig = await createRig({ limits: { settle: HOUR } });
    await backlog(rig, 't', 1_000);
    await rig.add({ topics: [], up });
    await rig.until(() => stored(rig.home, 't').length === 1_000);
    await rig.acknowledged('t', rig.count('t'));
    const before = new Map(published(rig).map((item) => [attr(item, 'id'), item.toString()]));
    rig.home.nodes.clear();
    await rig.restart();
    await rig.publish('t', 'new');
    await rig.until(() => stored(rig.home, 't').length === 1_001);
    expect(new Set(valuesOf(stored(rig.home, 't'))).size).toBe(1_001);
    expect(published(rig).filter((item) => isPack(item) && before.get(attr(item, 'id')) !== item.toString())).toEqual([]);
  });

  it('of a pack that is not all read yet no record is looked for alone, where it cannot be', async () => {
    await using rig = await createRig({ limits: { settle: HOUR } });
    await backlog(rig, 't', 1_000);
    await rig.add({ topics: [], up });
    await rig.until(() => stored(rig.home, 't').length === 1_000);
    await rig.acknowledged('t', rig.count('t'));
    const packs = new Map([...rig.home.nodes.get('t') ?? []].filter(([id]) => id.includes('..')));
    const inPacks = new Set([...packs].flatMap(([id, element]) => recordsOf(asItem(id, element)).map(({ recordId }) => recordId)));
    expect(inPacks.size).toBeGreaterThan(900);
    const before = rig.home.stanzas.length;
    await rig.restart({ limits: { settle: HOUR, packAhead: 60 } });
    await rig.publish('t', 'new');
    await rig.until(() => stored(rig.home, 't').length === 1_001);
    const asked = rig.home.stanzas.slice(before).flatMap((stanza) => stanza.getChild('pubsub')?.getChild('items')?.getChildren('item') ?? []).map((item) => attr(item, 'id') ?? '');
    expect(asked.some((id) => packs.has(id))).toBe(true);
    expect(asked.filter((id) => inPacks.has(id))).toEqual([]);
    // What is there is not sent once more.
    expect(published(rig).filter((item) => packs.has(attr(item, 'id') ?? '')).length).toBe(packs.size);
  });

  it('what the home has lost of acknowledged packs is found by looking for them, and sent again', async () => {
    await using rig = await createRig({ limits: { settle: HOUR } });
    await backlog(rig, 't', 3_000);
    await rig.add({ topics: [], up: [{ filter: '#', pack: { records: 50 } }] });
    await rig.until(() => stored(rig.home, 't').length === 3_000);
    await rig.acknowledged('t', rig.count('t'));
    const ids = [...rig.home.nodes.get('t')?.keys() ?? []];
    for (const id of ids.slice(-7)) rig.home.nodes.get('t')?.delete(id);
    const before = published(rig).length;
    rig.home.set.resumable = false;
    rig.home.cut();
    await rig.until(() => stored(rig.home, 't').length === 3_000);
    expect(published(rig).length).toBe(before + 7);
    expect(rig.troubles.map(({ kind }) => kind)).toEqual(['home.lost']);
  });

  it('a pack that the home will not take is taken apart: only what it will not take alone is put aside', async () => {
    await using rig = await createRig();
    rig.home.set.answer = (iq, what): StanzaError['condition'] | undefined => {
      const item = iq.getChild('pubsub')?.getChild('publish')?.getChild('item');
      return what === 'publish' && item?.toString().includes('>bad<') === true ? 'not-acceptable' : undefined;
    };
    await rig.publish('t', ...range(0, 20), 'bad', ...range(20, 40));
    await rig.add({ topics: [], up });
    await rig.drained();
    expect(valuesOf(stored(rig.home, 't'))).toEqual(range(0, 40));
    expect((await rig.asides()).length).toBe(1);
  });

  it('packs that lie across each other, more than is read ahead, go on after a restart', async () => {
    await using rig = await createRig({ limits: { settle: HOUR } });
    const topics = range(0, 40).map((n) => `t/${n}`);
    for (const n of range(0, 20)) for (const topic of topics) await rig.publish(topic, n);
    await rig.add({ topics: [], up });
    const all = (): number => topics.reduce((sum, topic) => sum + stored(rig.home, topic).length, 0);
    await rig.until(() => all() === 800);
    await rig.homes.close();
    rig.home.nodes.clear();
    await rig.restart({ limits: { settle: 100, packAhead: 60 } });
    await rig.drained();
    expect(all()).toBe(800);
  });

  it('settled packs are forgotten', async () => {
    await using rig = await createRig();
    await backlog(rig, 't', 500);
    await rig.add({ topics: [], up });
    await rig.drained();
    await rig.until(() => rig.log.registry.entries('pack:').length === 0);
    expect(stored(rig.home, 't').length).toBe(500);
  });

  it('packs are forgotten no sooner than the disk knows that they have settled: a power cut doubles nothing', async () => {
    await using rig = await createRig({ limits: { settle: 40 } });
    await rig.add({ topics: [], up: [{ filter: 't/#', pack: true }] });
    const cuts: MemoryDatabase[] = [];
    const batch = rig.database.batch.bind(rig.database);
    rig.database.batch = () => {
      const one = batch();
      return { ...one, write: async (options) => { await one.write(options); cuts.push(rig.database.fork()); } };
    };
    // Where its reader is goes with this record, and may not be written again at once.
    await rig.publish('t/a', 0);
    await rig.drained();
    await rig.publish('x', 0);
    await backlog(rig, 't/b', 40);
    await rig.drained();
    await rig.until(() => rig.log.registry.entries('pack:').length === 0);
    await rig.homes.close();
    await rig.restart({}, cuts.at(-1));
    await rig.publish('t/b', 40);
    await rig.drained();
    expect(valuesOf(stored(rig.home, 't/b'))).toEqual(range(0, 41));
  });

  it('what a topic that becomes one of the lane latest keeps no more holds up no pack of before', async () => {
    await using rig = await createRig();
    await backlog(rig, 't', 40);
    rig.home.set.before = (stanza): 'drop' | undefined => (stanza.getChild('pubsub')?.getChild('publish') ? 'drop' : undefined);
    await rig.add({ topics: [], up });
    await rig.until(() => rig.log.registry.entries('pack:').length > 0);
    await rig.homes.close();
    await rig.log.append({ topic: 't', kind: 'configure', config: { lane: 'latest', maxItems: 100 } });
    const id = (await rig.log.items('t'))[7]?.recordId ?? '';
    await rig.log.append({ topic: 't', kind: 'retract', id });
    await rig.publish('t', 40);
    rig.home.set.before = () => undefined;
    rig.home.set.resumable = false;
    await rig.restart();
    await rig.drained();
    expect(valuesOf(stored(rig.home, 't'))).toEqual(range(0, 41).filter((n) => n !== 7));
  });

  it('a log that takes nothing more sends one by one, so that it may get room', async () => {
    await using rig = await createRig();
    rig.home.set.answer = (_iq, what) => (what === 'create' ? 'silence' : undefined);
    rig.home.set.resumable = false;
    await rig.add({ topics: [], up });
    await backlog(rig, 't', 100);
    rig.database.failure = new Error('ENOSPC');
    rig.home.set.answer = () => undefined;
    rig.home.cut();
    await rig.acknowledged('t', 100);
    expect(valuesOf(stored(rig.home, 't'))).toEqual(range(0, 100));
    expect(published(rig).some(isPack)).toBe(false);
    rig.database.failure = undefined;
    await rig.until(() => rig.log.state === 'open');
  });

  it('of a record that it holds a pack leaves out what it says itself, and says what it does not', async () => {
    await using rig = await createRig();
    await backlog(rig, 'other', 1);
    await backlog(rig, 't', 40);
    await rig.add({ topics: [], up: [{ filter: 't', pack: true }] });
    await rig.drained();
    const [pack] = published(rig).filter(isPack).map((item) => item.getChild('pack'));
    const inside = pack?.getChildren('record') ?? [];
    expect(inside.slice(1).some((record) => record.attrs['id'] ?? record.attrs['previous'] ?? record.attrs['xmlns'])).toBe(false);
    const [first, ...rest] = recordsOf(asItem('', pack ?? xml('pack')));
    expect(rest.map(({ recordId, previous }) => [recordId, previous])).toEqual(rest.map(({ seq }) => [first?.recordId.replace(/\d+$/, String(seq)), seq - 1]));
  });

  const packedItem = (...records: Element[]): Element => asItem('', xml('pack', { xmlns: 'urn:lanpost:0', id: 'aaaabbbbccccdddd-1.0a1b2c3d-5..9' }, ...records));
  const record = (attrs: object): Element => xml('record', { stamp: '2026-11-01T00:00:00.000Z', ...attrs });
  it.each([
    ['the one before it', [{ seq: '5' }, { seq: '7' }], [undefined, 5]],
    ['another', [{ seq: '5', previous: '3' }, { seq: '7', previous: '6' }], [3, 6]],
    ['nobody knows which', [{ seq: '5' }, { seq: '7', previous: '0' }], [undefined, undefined]],
    ['none that comes after it', [{ seq: '9' }, { seq: '7' }], [undefined, undefined]],
  ])('a record in a pack follows %s', (_, records, previous) => {
    expect(recordsOf(packedItem(...records.map(record))).map((one) => one.previous)).toEqual(previous);
  });

  it('of an item, whatever is no record of a box is left out', () => {
    expect(recordsOf(xml('item', { id: 'x' }, xml('entry', { xmlns: 'http://www.w3.org/2005/Atom' })))).toEqual([]);
    expect(recordsOf(xml('item', {}, xml('pack', { xmlns: 'urn:lanpost:0' }, xml('record', { id: 'a', seq: '-1', stamp: 'x' }), xml('record', {}))))).toEqual([]);
  });
});
