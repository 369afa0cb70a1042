import { describe, expect, it } from 'vitest';
import type { DownRule } from '../../../src/api.ts';
import { LanpostError } from '../../../src/errors.ts';
import type { Draft } from '../../../src/log/record.ts';
import { homeOf } from '../../../src/pubsub/draft.ts';
import { toPayload } from '../../../src/payload/payload.ts';
import { payloadToElement } from '../../../src/payload/xml.ts';
import { attr, xml, type Element } from '../../../src/xmpp/element.ts';
import { iqResult } from '../../../src/xmpp/stanza.ts';
import { quiet } from '../../support/quiet.ts';
import { createRig, type Rig } from '../rig.ts';

const BOX = 'bbbbccccddddeeee';
const RESCAN = { limits: { settle: 100, rescan: 50, again: 20 } };
const value = (one: string | number): Element => payloadToElement(toPayload(one));
/** As another box publishes it. */
const record = (seq: number, one: string | number = seq, previous = seq - 1): Element =>
  xml('record', { xmlns: 'urn:lanpost:0', id: idOf(seq), seq: String(seq), stamp: '2026-01-02T03:04:05.000Z', ...(previous > 0 ? { previous: String(previous) } : {}) }, value(one));
const idOf = (seq: number): string => `${BOX}-1.0000000a-${seq}`;
/** As this box has published it. */
const ownId = (seq: number): string => `aaaabbbbccccdddd-1.0000000a-${seq}`;
const ownRecord = (seq: number): Element => {
  const element = record(seq);
  element.attrs['id'] = ownId(seq);
  return element;
};

async function following(down: readonly DownRule[], options: Parameters<typeof createRig>[0] = RESCAN, account: object = {}): Promise<Rig> {
  const rig = await createRig(options);
  rig.home.nodes.set('t', new Map());
  // What is written over stays until somebody who is away has had it.
  await (await rig.log.cursor({ name: 'away', filter: 't', from: 'start', durable: true })).close();
  await rig.add({ topics: [], down, ...account });
  await followed(rig);
  return rig;
}
const followed = (rig: Rig, nodes = 1): Promise<void> => rig.until(async () => (await rig.status())?.down?.nodes === nodes && (await rig.status())?.down?.waiting === 0);
/** Everything that ever happened to a topic, as a durable reader gets it. */
async function told(rig: Rig, topic = 't'): Promise<string[]> {
  const cursor = await rig.log.cursor({ name: `reader ${Math.random()}`, filter: topic, from: 'start', durable: false });
  const page = await cursor.next(5000);
  await cursor.close();
  return page.map(({ record: { kind, id, payload } }) => (kind === 'publish' ? Buffer.from(payload?.bytes ?? '').toString() : id === undefined ? kind : `${kind} ${id}`));
}
const view = async (rig: Rig, topic = 't'): Promise<string[]> => (rig.log.topic(topic) ? await rig.log.items(topic) : []).map(({ payload }) => Buffer.from(payload?.bytes ?? '').toString());
const subscriptions = (rig: Rig): Element[] => rig.home.stanzas.filter((stanza) => stanza.getChild('pubsub')?.getChild('subscribe'));
const rangeOf = (from: number, to: number): string[] => Array.from({ length: to - from }, (_, i) => String(from + i));

describe('a node that comes down', () => {
  it('is subscribed to by the full address, then caught up with, then followed', async () => {
    await using rig = await createRig(RESCAN);
    for (const n of [1, 2, 3]) rig.home.publish('t', `i${n}`, value(n));
    await rig.add({ topics: [], down: [{ node: 't' }] });
    await followed(rig);
    rig.home.publish('t', 'i4', value(4));
    await rig.until(async () => (await told(rig)).length === 4);
    expect(await told(rig)).toEqual(['1', '2', '3', '4']);
    expect(subscriptions(rig).map((stanza) => attr(stanza.getChild('pubsub')?.getChild('subscribe') ?? xml('x'), 'jid'))).toEqual(['box@home.test/lanpost-aaaabbbb']);
    expect((await rig.log.items('t')).map(homeOf)).toEqual(Array.from({ length: 4 }, () => 'pubsub.home.test'));
  });

  it('emptied at home, takes away nothing that was published here, however much of the home lies above it', async () => {
    await using rig = await following([{ node: 't' }], RESCAN);
    await rig.log.append({ topic: 't', kind: 'configure', config: { maxItems: 20_000 } });
    await rig.publish('t', 'ours');
    await Promise.all(rangeOf(0, 10_000).map((id) => rig.log.append({ topic: 't', kind: 'publish', id, payload: toPayload('x'), extra: { home: 'pubsub.home.test' } })));
    rig.home.purge('t');
    await rig.until(() => rig.log.topic('t')?.count === 1);
    expect(await view(rig)).toEqual(['ours']);
  });

  it('emptied at home, is looked through a few items at a time, and keeps what is published here meanwhile', async () => {
    await using rig = await following([{ node: 't' }]);
    const { log } = rig;
    await Promise.all(rangeOf(0, 500).map((id) => log.append({ topic: 't', kind: 'publish', id, payload: toPayload('x'), extra: { home: 'pubsub.home.test' } })));
    const items = log.items.bind(log);
    const sizes: number[] = [];
    Object.assign(log, {
      items: async (...asked: Parameters<typeof items>) => {
        const found = await items(...asked);
        if (sizes.push(found.length) === 3) await rig.publish('t', 'ours');
        return found;
      },
    });
    rig.home.purge('t');
    await rig.until(() => log.topic('t')?.count === 1);
    expect(Math.max(...sizes)).toBeLessThan(100);
    expect(await view(rig)).toEqual(['ours']);
  });

  it.each(['a session', 'a process'])('of which nothing is in the view here any more does not come a second time, after %s', async (what) => {
    await using rig = await following([{ node: 't' }]);
    const { home } = rig;
    for (const id of ['a', 'b', 'c']) home.publish('t', id, value(id));
    await rig.until(async () => (await view(rig)).length === 3);
    // Each has been dealt with, and is not wanted here any more.
    for (const id of ['a', 'b', 'c']) await rig.log.append({ topic: 't', kind: 'retract', id });
    home.set.resumable = false;
    home.subscribers.clear();
    home.publish('t', 'd', value('d'));
    if (what === 'a session') home.cut();
    else await rig.restart();
    await rig.until(async () => (await view(rig)).includes('d'));
    await followed(rig);
    expect(await view(rig)).toEqual(['d']);
    expect(await told(rig)).toEqual(['retract a', 'retract b', 'retract c', 'd']);
  });

  it('that says more in one event than a call takes arguments is caught up with', async () => {
    await using rig = await createRig(RESCAN);
    rig.home.publish('t', 'a', value(1));
    let held = false;
    rig.home.set.answer = (_iq, what) => {
      if (what !== 'items' || held) return undefined;
      held = true;
      const items = xml('items', { node: 't' });
      for (let n = 0; n < 130_000; n++) items.append(xml('retract', { id: 'x' }));
      rig.home.send(xml('message', { from: 'pubsub.home.test', to: 'box@home.test/lanpost-aaaabbbb', type: 'headline' }, xml('event', { xmlns: 'http://jabber.org/protocol/pubsub#event' }, items)));
      return undefined;
    };
    await rig.add({ topics: [], down: [{ node: 't' }] });
    await followed(rig);
    expect([await view(rig), rig.home.sessions, rig.home.resumed, rig.troubles]).toEqual([['1'], 1, 0, []]);
  });

  it('may be another topic here, and begin with what is new', async () => {
    await using rig = await createRig(RESCAN);
    for (const n of [1, 2, 3]) rig.home.publish('a/b', `i${n}`, value(n));
    await rig.add({ topics: [], down: [{ node: 'a/#', as: 'home/{node}', from: 'new' }] });
    await followed(rig);
    rig.home.publish('a/b', 'i4', value(4));
    await rig.until(async () => (await view(rig, 'home/a/b')).length === 1);
    // What is made after the rule was is new, all of it.
    rig.home.publish('a/c', 'i1', value(1));
    rig.home.publish('a/c', 'i2', value(2));
    await rig.until(async () => (await view(rig, 'home/a/c')).length === 2);
    expect([await view(rig, 'home/a/b'), await view(rig, 'home/a/c')]).toEqual([['4'], ['1', '2']]);
  });

  it('what was published while the box was away comes once, in order, and what was changed', async () => {
    await using rig = await following([{ node: 't' }]);
    for (let n = 0; n < 40; n++) rig.home.publish('t', `i${n}`, value(n));
    await rig.until(async () => (await view(rig)).length === 40);
    rig.home.set.resumable = false;
    rig.home.subscribers.clear();
    for (let n = 40; n < 140; n++) rig.home.publish('t', `i${n}`, value(n));
    rig.home.publish('t', 'i39', value('changed'));
    rig.home.nodes.get('t')?.delete('i100');
    rig.home.cut();
    await rig.until(async () => (await view(rig)).length === 139);
    expect(await told(rig)).toEqual([...rangeOf(0, 40), 'changed', ...rangeOf(40, 100), ...rangeOf(101, 140)]);
    await rig.restart();
    await followed(rig);
    expect((await told(rig)).length).toBe(140);
  });

  it('records of a box come each once, in the order of their numbers, with the time they were accepted at', async () => {
    await using rig = await following([{ node: 't' }]);
    const { home } = rig;
    // The third was lost and is sent again; the second is told twice.
    for (const n of [1, 2, 4, 5, 3, 2]) home.publish('t', idOf(n), record(n));
    await rig.until(async () => (await told(rig)).length === 5);
    expect(await told(rig)).toEqual(['1', '2', '4', '5', '3']);
    home.set.resumable = false;
    home.subscribers.clear();
    home.nodes.get('t')?.clear();
    for (const n of [4, 5, 7, 8, 6]) home.publish('t', idOf(n), record(n));
    home.cut();
    await rig.until(async () => (await told(rig)).length === 8);
    expect((await told(rig)).slice(5)).toEqual(['6', '7', '8']);
    const [first] = await rig.log.items('t');
    expect(first).toMatchObject({ recordId: idOf(1), stamp: { wall: Date.parse('2026-01-02T03:04:05Z'), trusted: true } });
  });

  it('a backlog that comes behind newer records of its box is not taken for known because of them', async () => {
    await using rig = await following([{ node: 't' }]);
    const { home } = rig;
    const publish = (from: number, to: number): void => { for (let n = from; n <= to; n++) home.publish('t', idOf(n), record(n)); };
    publish(1001, 1010);
    publish(1, 300);
    await rig.until(async () => (await told(rig)).length === 310);
    home.set.resumable = false;
    home.subscribers.clear();
    publish(301, 800);
    home.cut();
    await rig.until(async () => (await told(rig)).length === 810);
    expect(await told(rig)).toEqual([...rangeOf(1001, 1011), ...rangeOf(1, 801)]);
  });

  it.each(['records', 'items without'])('what came by another home as well hides nothing that came to this one alone: %s', async (kind) => {
    await using rig = await following([{ node: 't' }]);
    const { home, log } = rig;
    home.publish('t', idOf(1), record(1));
    await rig.until(async () => (await told(rig)).length === 1);
    home.set.resumable = false;
    home.subscribers.clear();
    for (const n of rangeOf(2, 301).map(Number)) {
      if (n === 4) for (const c of rangeOf(0, 5)) home.publish('t', `c${c}`, value(`c${c}`));
      if (kind === 'records') home.publish('t', idOf(n), record(n));
      else home.publish('t', `i${n}`, value(n));
      await log.append({ topic: 't', kind: 'publish', payload: toPayload(n), extra: { home: 'pubsub.hub.test' }, ...(kind === 'records' ? { id: idOf(n), origin: { box: BOX, epoch: '1.0000000a', seq: n, previous: n - 1 } } : { id: `i${n}` }) });
    }
    home.cut();
    await rig.until(async () => (await view(rig)).includes('c4'));
    expect((await told(rig)).toSorted()).toEqual([...rangeOf(1, 301), 'c0', 'c1', 'c2', 'c3', 'c4'].toSorted());
  });

  it.each([['packs', 16, 100], ['items', 1100, 1]])('what others published is found behind what went up meanwhile, %s', async (_, items, records) => {
    await using rig = await following([{ node: 't' }]);
    const { home } = rig;
    home.publish('t', 'a', value('a'));
    await rig.until(async () => (await told(rig)).length === 1);
    home.set.resumable = false;
    home.subscribers.clear();
    home.publish('t', 'theirs', value('theirs'));
    for (let at = 0; at < items; at++) {
      const ours = Array.from({ length: records }, (__, n) => ownRecord(1 + at * records + n));
      const [first] = ours;
      home.publish('t', `ours-${at}`, records === 1 && first ? first : xml('pack', { xmlns: 'urn:lanpost:0', id: `${ownId(1 + at * records)}..${(at + 1) * records}`, count: String(records) }, ...ours));
    }
    home.cut();
    await rig.until(async () => (await view(rig)).includes('theirs'));
    expect([await told(rig), rig.troubles]).toEqual([['a', 'theirs'], []]);
  });

  it('what is ours is looked through no further back than to what had come back', async () => {
    await using rig = await following([{ node: 't' }], RESCAN, { topics: ['t'] });
    const { home } = rig;
    await rig.publish('t', ...rangeOf(0, 400));
    await rig.until(() => rig.arrivals('t').length === 400);
    await rig.drained();
    await quiet();
    home.set.resumable = false;
    home.cut();
    await rig.publish('t', 'last');
    await rig.until(() => rig.arrivals('t').includes('last'));
    await followed(rig);
    const asked = home.stanzas.flatMap((stanza) => attr(stanza.getChild('pubsub')?.getChild('items') ?? xml('none'), 'max_items') ?? []).map(Number);
    expect(Math.max(...asked)).toBeLessThan(400);
  });

  it('a pack comes as its records, each once, also when one of them has come alone', async () => {
    await using rig = await following([{ node: 't' }]);
    const pack = xml('pack', { xmlns: 'urn:lanpost:0', id: `${idOf(1)}..4`, count: '4' }, ...[1, 2, 3, 4].map((n) => record(n)));
    rig.home.publish('t', idOf(3), record(3));
    rig.home.publish('t', `${idOf(1)}..4`, pack);
    rig.home.publish('t', idOf(5), record(5));
    await rig.until(async () => (await told(rig)).length === 5);
    expect(await told(rig)).toEqual(['3', '1', '2', '4', '5']);
    rig.home.set.resumable = false;
    rig.home.cut();
    await rig.until(() => rig.home.sessions === 2);
    await followed(rig);
    expect((await rig.log.items('t')).map(({ recordId }) => recordId)).toEqual([3, 1, 2, 4, 5].map(idOf));
  });

  it('records of several topics in one node are told apart by their topics', async () => {
    await using rig = await following([{ node: 't' }]);
    const of = (topic: string, seq: number, previous: number): Element => {
      const element = record(seq, seq, previous);
      element.attrs['topic'] = topic;
      return element;
    };
    for (const [topic, seq, previous] of [['a', 8, 5], ['a', 10, 8], ['b', 9, 6], ['a', 10, 8]] as const) rig.home.publish('t', idOf(seq), of(topic, seq, previous));
    await rig.until(async () => (await told(rig)).length === 3);
    expect(await told(rig)).toEqual(['8', '10', '9']);
  });

  it('an item without a record is a repeat only if its id and payload are those of the newest known', async () => {
    await using rig = await following([{ node: 't' }]);
    for (const one of ['a', 'a', 'b', 'a']) rig.home.publish('t', 'x', value(one));
    await rig.until(async () => (await told(rig)).length === 3);
    expect(await told(rig)).toEqual(['a', 'b', 'a']);
  });

  it('retractions, purges and deletions come down, and spare what is of this box', async () => {
    await using rig = await following([{ node: 't' }]);
    const { home } = rig;
    await rig.item('t', 'own', 'here');
    for (const one of ['a', 'b', 'c']) home.publish('t', one, value(one));
    home.retract('t', 'b');
    await rig.until(async () => (await told(rig)).includes('retract b'));
    home.purge('t');
    home.publish('t', 'd', value('d'));
    await rig.until(async () => (await view(rig)).join() === 'here,d');
    await rig.log.append({ topic: 't', kind: 'retract', id: 'own' });
    home.deleteNode('t');
    await rig.until(() => rig.log.topic('t')?.deleted === true);
    home.publish('t', 'e', value('e'));
    await rig.until(async () => (await view(rig)).join() === 'e');
    // What was taken away before may have been swept.
    expect((await told(rig)).slice(-2)).toEqual(['delete', 'e']);
  });

  it('what was retracted while nobody listened is retracted, if something older and something newer is there', async () => {
    await using rig = await following([{ node: 't' }]);
    const { home } = rig;
    for (const one of ['old', 'kept', 'gone', 'new', 'newest']) home.publish('t', one, value(one));
    await rig.until(async () => (await view(rig)).length === 5);
    home.set.resumable = false;
    for (const one of ['old', 'gone']) home.nodes.get('t')?.delete(one);
    home.cut();
    await rig.until(async () => (await view(rig)).length === 4);
    expect(await view(rig)).toEqual(['old', 'kept', 'new', 'newest']);
  });

  it.each([
    ['its server lost its newest items', ['lost', 'newest']],
    ['it was made anew and some came again', ['old', 'lost', 'newest']],
  ])('of a node that has not what came last nothing is retracted: %s', async (_, lost) => {
    await using rig = await following([{ node: 't' }]);
    const { home } = rig;
    for (const one of ['old', 'kept', 'lost', 'newest']) home.publish('t', one, value(one));
    await rig.until(async () => (await view(rig)).length === 4);
    home.set.resumable = false;
    for (const one of lost) home.nodes.get('t')?.delete(one);
    home.subscribers.clear();
    home.publish('t', 'later', value('later'));
    home.cut();
    await rig.until(async () => (await view(rig)).includes('later'));
    await followed(rig);
    expect(await view(rig)).toEqual(['old', 'kept', 'lost', 'newest', 'later']);
  });

  it.each(['retracts', 'purges', 'deletes'])('that is the same topic here as another %s none of the other\'s', async (how) => {
    await using rig = await createRig(RESCAN);
    const { home } = rig;
    for (const id of ['a1', 'a2', 'a3']) home.publish('t', id, value(id));
    home.nodes.set('u', new Map());
    await rig.add({ topics: [], down: [{ node: 't' }, { node: 'u', as: 't' }] });
    await followed(rig, 2);
    home.publish('u', 'u1', value('u1'));
    await rig.until(async () => (await view(rig)).length === 4);
    home.publish('t', 'a4', value('a4'));
    await rig.until(async () => (await view(rig)).length === 5);
    if (how === 'retracts') {
      home.set.resumable = false;
      home.nodes.get('t')?.delete('a2');
      home.cut();
    } else if (how === 'purges') home.purge('t');
    else home.deleteNode('t');
    const left = how === 'retracts' ? ['a1', 'a3', 'u1', 'a4'] : ['u1'];
    await rig.until(async () => !(await view(rig)).includes('a2'));
    home.publish('u', 'u2', value('u2'));
    await rig.until(async () => (await view(rig)).includes('u2'));
    expect(await view(rig)).toEqual([...left, 'u2']);
  });

  it('by another name takes away with a purge also what came of it before nodes were told apart', async () => {
    await using rig = await createRig(RESCAN);
    const { home } = rig;
    home.nodes.set('u', new Map());
    await rig.add({ topics: [], down: [{ node: 'u', as: 't' }] });
    await followed(rig);
    await rig.log.append({ topic: 't', kind: 'publish', id: 'old', payload: toPayload('old'), extra: { home: 'pubsub.home.test' } });
    home.publish('u', 'new', value('new'));
    await rig.until(async () => (await view(rig)).length === 2);
    home.purge('u');
    await rig.until(async () => !(await view(rig)).includes('new'));
    home.publish('u', 'last', value('last'));
    await rig.until(async () => (await view(rig)).includes('last'));
    expect(await view(rig)).toEqual(['last']);
  });

  it('many events while it is caught up with cost none of them', async () => {
    await using rig = await createRig(RESCAN);
    const { home } = rig;
    home.publish('t', 'i0', value(0));
    let asked = 0;
    home.set.before = (stanza) => {
      if (!stanza.getChild('pubsub')?.getChild('items') || asked++ > 0) return;
      for (let n = 1; n <= 600; n++) home.publish('t', `i${n}`, value(n));
    };
    await rig.add({ topics: [], down: [{ node: 't' }] });
    await rig.until(async () => (await view(rig)).length === 601);
    expect(await told(rig)).toEqual(rangeOf(0, 601));
    expect(asked).toBeGreaterThan(1);
  });

  describe('with more than an answer may hold', () => {
    const SMALL = { limits: { settle: 100, incoming: 64 << 10, rescan: 50 } };
    const large = (n: number): Element => value(`${n} ${'x'.repeat(1000)}`);
    const numbersIn = async (rig: Rig): Promise<number[]> => (await told(rig)).map((text) => Number(text.split(' ')[0]));
    const RSM = 'http://jabber.org/protocol/rsm';
    /** ejabberd pages, oldest first, by what is no item's id; Prosody gives all, newest first. */
    const lists = (home: Rig['home'], kind: 'prosody' | 'ejabberd'): void => {
      home.set.answer = (iq) => {
        const asked = iq.getChild('query', 'http://jabber.org/protocol/disco#items');
        const node = asked && attr(asked, 'node');
        if (node === undefined) return undefined;
        const all = [...home.nodes.get(node)?.keys() ?? []].map((name, at) => ({ name, at }));
        const from = Number(asked?.getChild('set', RSM)?.getChildText('after') ?? -1) + 1;
        const part = kind === 'prosody' ? all.toReversed() : all.slice(from, from + 50);
        const set = kind === 'prosody' ? [] : [xml('set', { xmlns: RSM }, xml('count', {}, String(all.length)), ...part.length === 0 ? [] : [xml('first', {}, String(from)), xml('last', {}, String(part.at(-1)?.at))])];
        return xml('iq', { type: 'result', id: attr(iq, 'id') ?? '', from: attr(iq, 'to') ?? '' }, xml('query', { xmlns: 'http://jabber.org/protocol/disco#items', node }, ...part.map(({ name }) => xml('item', { jid: 'x', name })), ...set));
      };
    };

    it.each(['prosody', 'ejabberd'] as const)('all of it comes down, page after page, in order (as %s lists)', async (kind) => {
      await using rig = await createRig(SMALL);
      const { home } = rig;
      lists(home, kind);
      for (let n = 0; n < 300; n++) home.publish('t', `i${n}`, large(n));
      let once = false;
      home.set.before = (stanza) => {
        if (once || !stanza.getChild('pubsub')?.getChild('items')?.getChild('item')) return;
        once = true;
        // While it is fetched.
        for (let n = 300; n < 320; n++) home.publish('t', `i${n}`, large(n));
        home.retract('t', 'i5');
      };
      await rig.add({ topics: [], down: [{ node: 't' }] });
      await followed(rig);
      await rig.until(async () => (await numbersIn(rig)).includes(319)); // it was told of, and may be on its way to the disk
      const kept = await numbersIn(rig);
      expect(kept.filter((n) => n !== 5)).toEqual([...Array(320).keys()].filter((n) => n !== 5));
      expect(rig.troubles).toEqual([]);
      expect(await view(rig)).not.toContain(large(5).getText());
    });

    it.each(['prosody', 'ejabberd'] as const)('what came while nobody listened is found from where it overlaps, however much that is (as %s lists)', async (kind) => {
      await using rig = await createRig(SMALL);
      const { home } = rig;
      lists(home, kind);
      for (let n = 0; n < 100; n++) home.publish('t', `i${n}`, large(n));
      await rig.add({ topics: [], down: [{ node: 't' }] });
      await followed(rig);
      home.set.resumable = false;
      home.subscribers.clear();
      for (let n = 100; n < 400; n++) home.publish('t', `i${n}`, large(n));
      home.nodes.get('t')?.delete('i50');
      home.cut();
      await rig.until(async () => (await view(rig)).length === 399 && (await told(rig)).at(-1) === 'retract i50');
      await followed(rig);
      const all = await told(rig);
      expect(all.pop()).toBe('retract i50');
      expect(all.map((text) => Number(text.split(' ')[0]))).toEqual([...Array(400).keys()].filter((n) => n !== 50));
      expect(await view(rig)).not.toContain(large(50).getText());
      expect(rig.troubles).toEqual([]);
    });

    it.each(['prosody', 'ejabberd'] as const)('what the view here is too small for does not come a second time (as %s lists)', async (kind) => {
      await using rig = await createRig(SMALL);
      const { home, log } = rig;
      lists(home, kind);
      await log.append({ topic: 't', kind: 'configure', config: { maxItems: 20 } });
      await (await log.cursor({ name: 'away', filter: 't', from: 'start', durable: true })).close();
      for (let n = 0; n < 300; n++) home.publish('t', `i${n}`, large(n));
      await rig.add({ topics: [], down: [{ node: 't' }] });
      await followed(rig);
      home.set.resumable = false;
      home.subscribers.clear();
      for (let n = 300; n < 310; n++) home.publish('t', `i${n}`, large(n));
      home.cut();
      await rig.until(async () => (await numbersIn(rig)).includes(309));
      await followed(rig);
      expect((await numbersIn(rig)).filter((n) => Number.isInteger(n))).toEqual([...Array(310).keys()]);
    });

    it('what was there when only what is new was wanted does not come', async () => {
      await using rig = await createRig(SMALL);
      const { home } = rig;
      for (let n = 0; n < 100; n++) home.publish('t', `i${n}`, large(n));
      await rig.add({ topics: [], down: [{ node: 't', from: 'new' }] });
      await followed(rig);
      home.set.resumable = false;
      home.subscribers.clear();
      for (let n = 100; n < 300; n++) home.publish('t', `i${n}`, large(n));
      home.cut();
      await rig.until(async () => (await view(rig)).length === 200);
      await followed(rig);
      expect(await numbersIn(rig)).toEqual([...Array(300).keys()].slice(100));
    });

    it('and of a service that lists none, the newest come down, and that is said', async () => {
      await using rig = await createRig(SMALL);
      rig.home.set.answer = (iq) => (attr(iq.getChild('query') ?? xml('none', {}), 'node') === undefined ? undefined : 'feature-not-implemented');
      for (let n = 0; n < 200; n++) rig.home.publish('t', `i${n}`, large(n));
      await rig.add({ topics: [], down: [{ node: 't' }] });
      await followed(rig);
      const numbers = await numbersIn(rig);
      expect(numbers.length).toBeGreaterThan(20);
      expect(numbers).toEqual(rangeOf(200 - numbers.length, 200).map(Number));
      expect(rig.troubles.map(({ kind }) => kind)).toEqual(['home.behind']);
    });
  });

  it('an answer that ends the session is asked for in smaller parts', async () => {
    await using rig = await createRig({ limits: { settle: 100, incoming: 64 << 10 } });
    for (let n = 0; n < 16; n++) rig.home.publish('t', `i${n}`, value(`${n} ${'x'.repeat(20_000)}`));
    await rig.add({ topics: [], down: [{ node: 't' }] });
    await followed(rig);
    expect((await told(rig)).at(-1)?.startsWith('15 ')).toBe(true);
  });

  it('what the log has no room for is fetched when there is', async () => {
    await using rig = await following([{ node: 't' }]);
    const { log } = rig;
    const append = log.append.bind(log);
    let full = true;
    Object.assign(log, { append: (draft: Draft) => (full && draft.kind === 'publish' ? Promise.reject(new LanpostError('disk-full')) : append(draft)) });
    for (let n = 0; n < 30; n++) rig.home.publish('t', `i${n}`, value(n));
    await rig.until(async () => (await rig.status())?.down?.waiting === 1);
    full = false;
    await followed(rig);
    expect(await told(rig)).toEqual(rangeOf(0, 30));
    expect(rig.home.sessions).toBe(1);
  });

  it('what the log would not take is not passed over for what came right behind it', async () => {
    await using rig = await following([{ node: 't' }]);
    const { log, home } = rig;
    const append = log.append.bind(log);
    let release = (): void => undefined;
    const slow = new Promise<void>((resolve) => { release = resolve; });
    let refused = false;
    Object.assign(log, {
      append: async (draft: Draft) => {
        const said = Buffer.from(draft.payload?.bytes ?? '').toString();
        if (said === 'b' && !refused) {
          refused = true;
          throw new LanpostError('busy');
        }
        const appended = await append(draft);
        // The disk has it, and takes long to say so.
        if (said === 'a') await slow;
        return appended;
      },
    });
    const event = (...ids: string[]): Element => {
      for (const id of ids) home.nodes.get('t')?.set(id, value(id));
      return xml('message', { from: 'pubsub.home.test', to: 'box@home.test/lanpost-aaaabbbb', type: 'headline' }, xml('event', { xmlns: 'http://jabber.org/protocol/pubsub#event' }, xml('items', { node: 't' }, ...ids.map((id) => xml('item', { id }, value(id))))));
    };
    home.send(event('a', 'b'));
    await rig.until(async () => refused && (await view(rig)).includes('a'));
    home.send(event('c'));
    await quiet();
    release();
    await rig.until(async () => (await view(rig)).includes('c'));
    await followed(rig);
    expect((await told(rig)).toSorted()).toEqual(['a', 'b', 'c']);
  });

  it('that was deleted and made anew without a word is subscribed to again, and nothing of it is missed', async () => {
    await using rig = await following([{ node: 't' }]);
    rig.home.publish('t', 'a', value('a'));
    await rig.until(async () => (await view(rig)).length === 1);
    rig.home.subscribers.delete('t');
    rig.home.nodes.set('t', new Map());
    rig.home.publish('t', 'b', value('b'));
    await rig.until(async () => (await view(rig)).includes('b'));
    expect(rig.home.subscribers.get('t')?.size).toBe(1);
  });

  it('of which no rule speaks any more is left', async () => {
    await using rig = await following([{ node: 't' }]);
    expect(rig.home.subscribers.get('t')?.size).toBe(1);
    rig.home.nodes.set('u', new Map());
    await rig.add({ topics: [], down: [{ node: 'u' }] });
    await followed(rig);
    await rig.until(() => rig.home.subscribers.get('t')?.size === 0);
  });
});

describe('nothing goes in a circle', () => {
  it('what goes up is not taken when it comes back, and what came down does not go up', async () => {
    await using rig = await following([{ node: '#' }], RESCAN, { topics: ['#'] });
    await rig.publish('t', 1, 2, 3);
    rig.home.publish('t', 'theirs', value('theirs'));
    rig.home.publish('t', idOf(7), record(7));
    await rig.until(async () => (await told(rig)).length === 5);
    await rig.drained();
    await quiet();
    const publishes = rig.home.stanzas.filter((stanza) => stanza.getChild('pubsub')?.getChild('publish'));
    expect([publishes.length, (await told(rig)).length]).toEqual([3, 5]);
  });

  it('a retraction of ours that comes back does not take away what was published under its id since', async () => {
    await using rig = await following([{ node: 't' }], RESCAN, { topics: ['t'] });
    await rig.item('t', 'state', 'on');
    await rig.until(() => rig.count('t') === 1);
    await rig.log.append({ topic: 't', kind: 'retract', id: 'state' });
    await rig.item('t', 'state', 'off');
    await rig.until(() => rig.at('t', 'state') === 'off');
    await rig.drained();
    expect(await view(rig)).toEqual(['off']);
    // Somebody else's counts.
    rig.home.retract('t', 'state');
    await rig.until(async () => (await view(rig)).length === 0);
  });

  it('nor does one that comes back while the node is caught up with', async () => {
    await using rig = await following([{ node: 't' }], RESCAN, { topics: ['t'] });
    const { home } = rig;
    await rig.item('t', 'state', 'on');
    await rig.until(() => rig.count('t') === 1);
    home.set.resumable = false;
    let held: Element | undefined;
    home.set.answer = (iq, what) => {
      if (what !== 'items' || held) return undefined;
      held = iq;
      return 'silence';
    };
    home.cut();
    await rig.until(() => held !== undefined);
    await rig.log.append({ topic: 't', kind: 'retract', id: 'state' });
    await rig.item('t', 'state', 'off');
    await rig.until(() => rig.at('t', 'state') === 'off');
    await rig.drained();
    home.send(iqResult(held ?? xml('none'), xml('pubsub', { xmlns: 'http://jabber.org/protocol/pubsub' }, xml('items', { node: 't' }))));
    await followed(rig);
    home.publish('t', 'last', value('last'));
    await rig.until(async () => (await view(rig)).includes('last'));
    expect(await view(rig)).toEqual(['off', 'last']);
  });
});
