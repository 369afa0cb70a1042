// A pubsub service that answers wrongly, late or never: nothing is lost, stale or stops the other topics.
import { describe, expect, it } from 'vitest';
import { attr, xml, type Element } from '../../src/xmpp/element.ts';
import { errorReply, iqResult } from '../../src/xmpp/stanza.ts';
import { StanzaError } from '../../src/xmpp/stanza-error.ts';
import type { MemoryDatabase } from '../../src/log/memory-database.ts';
import { quiet } from '../support/quiet.ts';
import { beforeWrites } from './cursor-writes.ts';
import { createRig } from './rig.ts';

const numbers = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);
const texts = (from: number, to: number): string[] => numbers(from, to).map(String);
const textOf = (iq: Element): string => iq.getChild('pubsub')?.getChild('publish')?.getChild('item')?.getChild('record')?.children.map((child) => (typeof child === 'object' ? child.getText() : '')).join('') ?? '';

describe('a held topic', () => {
  it('stops no other, however long', async () => {
    await using rig = await createRig();
    const { home } = rig;
    let forbidden = true;
    home.set.answer = (_iq, what, node) => (what === 'publish' && node === 'bad' && forbidden ? 'forbidden' : undefined);
    await rig.add();
    for (let n = 0; n < 1500; n++) await Promise.all([rig.publish('bad', n), rig.publish('good', n)]);
    await rig.acknowledged('good', 1500);
    await rig.until(async () => (await rig.status())?.queued === 1500);
    expect(rig.count('bad')).toBe(0);
    forbidden = false;
    home.set.resumable = false;
    home.cut();
    await rig.drained();
    expect(rig.arrivals('bad').filter((text, i, all) => all.indexOf(text) === i)).toEqual(texts(0, 1500));
    expect(rig.count('bad')).toBe(1500);
    expect(rig.arrivals('good')).toEqual(texts(0, 1500));
  });

  it('keeps what it holds over restarts, and goes on as any other afterwards', async () => {
    await using rig = await createRig();
    const { home } = rig;
    let forbidden = true;
    home.set.answer = (_iq, what, node) => (what === 'publish' && node === 'bad' && forbidden ? 'forbidden' : undefined);
    await rig.add();
    for (let n = 0; n < 20; n++) await Promise.all([rig.publish('bad', n), rig.publish('good', n)]);
    await rig.until(async () => (await rig.status())?.queued === 20);
    await rig.until(() => rig.held().includes('bad'));
    await rig.restart();
    await rig.publish('bad', ...numbers(20, 30));
    await rig.publish('good', 'more');
    await rig.until(async () => (await rig.status())?.queued === 30);
    forbidden = false;
    await rig.restart();
    await rig.drained();
    expect([rig.count('bad'), rig.count('good')]).toEqual([30, 21]);
    await rig.until(() => rig.held().length === 0);
    await rig.publish('bad', 30);
    await rig.drained();
    expect([...home.nodes.get('bad')?.values() ?? []].map((record) => record.getChild('json')?.getText())).toEqual(texts(0, 31));
    await rig.homes.remove(home.account.jid);
    expect([...rig.log.cursors()]).toEqual([]);
  });

  for (const [what, ends] of [['and goes on in order', true], ['and in order too where it cannot be given one', false]] as const) {
    it(`may go on before it has a cursor of its own, ${what}`, async () => {
      await using rig = await createRig({ limits: { settle: 3_600_000 } });
      const { home, database } = rig;
      await rig.add();
      await rig.publish('t', 1);
      await rig.acknowledged('t', 1);
      const unanswered: Element[] = [];
      let readBack = false;
      home.set.answer = (iq, request) => {
        readBack ||= request === 'items';
        if (request !== 'publish' || home.sessions > 1) return undefined;
        unanswered.push(iq);
        return 'silence';
      };
      await rig.publish('t', 2, 3);
      await rig.until(() => unanswered.length === 2);
      home.set.resumable = false;
      let slow = 0;
      let failed = false;
      // The disk is slow with another item, then with the cursor, which it may not take at all.
      beforeWrites(database, async (apart) => {
        if (!apart && slow++ === 0) {
          for (const iq of unanswered) home.say(errorReply(iq, new StanzaError('forbidden')));
          await rig.until(() => rig.troubles.some(({ kind }) => kind === 'home.held'));
          home.cut();
          await rig.until(() => home.sessions === 2);
          await rig.state('online');
        } else if (apart) {
          // All that can be sent has been.
          await rig.until(() => readBack);
          await quiet();
          if (!ends && !failed) {
            failed = true;
            throw new Error('IO error: No space left on device');
          }
        }
      });
      await rig.publish('t', 4);
      await rig.until(() => rig.count('t') === 4);
      expect(rig.arrivals('t')).toEqual(['1', '2', '3', '2', '3', '4']);
    });
  }

  it('loses nothing to a power cut, whenever it comes', async () => {
    await using rig = await createRig();
    const { home } = rig;
    let forbidden = true;
    home.set.answer = (_iq, what, node) => (what === 'publish' && node === 'bad' && forbidden ? 'forbidden' : undefined);
    await rig.add();
    // What the disk holds after each write, and how much had been accepted by then.
    const cuts: { readonly left: MemoryDatabase; readonly accepted: number }[] = [];
    const { database } = rig;
    const batch = database.batch.bind(database);
    let accepted = 0;
    database.batch = () => {
      const inner = batch();
      const write = async (options: { readonly sync: boolean }): Promise<void> => {
        await inner.write(options);
        cuts.push({ left: database.fork(), accepted });
      };
      return { ...inner, write };
    };
    const some = async (): Promise<void> => {
      for (let n = 0; n < 6; n++) {
        await rig.publish('bad', accepted);
        await rig.publish('good', n);
        accepted++;
      }
    };
    await some();
    await rig.until(() => rig.held().includes('bad'));
    await some();
    const held = cuts.length;
    forbidden = false;
    home.set.resumable = false;
    home.cut();
    await rig.drained();
    await rig.until(() => rig.held().length === 0);
    expect(held).toBeGreaterThan(8);
    for (const [i, { left, accepted: least }] of cuts.entries()) {
      // Before the topic was let go the home had none of it; later it keeps what it had.
      if (i < held) home.nodes.clear();
      await rig.restart(undefined, left);
      await rig.drained();
      expect(rig.count('bad')).toBeGreaterThanOrEqual(least);
    }
  });

  it('is forgotten with the filter that chose it', async () => {
    await using rig = await createRig();
    const { home } = rig;
    home.set.answer = (_iq, what, node) => (what === 'publish' && node === 'bad/one' ? 'forbidden' : undefined);
    await rig.add({ topics: ['bad/#', 'good'] });
    await rig.publish('bad/one', 1, 2, 3);
    await rig.until(() => rig.held().includes('bad/one'));
    await rig.add({ topics: ['good'] });
    expect([...rig.log.cursors()].map(({ filter, held }) => [filter, held])).toEqual([['good', []]]);
  });

  it('that only waits a while leaves room for others', async () => {
    await using rig = await createRig();
    rig.home.set.answer = (_iq, what, node) => (what === 'publish' && node === 'bad' ? 'internal-server-error' : undefined);
    await rig.add();
    await rig.publish('bad', ...numbers(0, 600));
    await rig.publish('good', 1);
    await rig.acknowledged('good', 1);
    expect(rig.count('bad')).toBe(0);
  });
});

describe('an item that is updated', () => {
  it('never ends with an older value, when the older failed for a while', async () => {
    await using rig = await createRig();
    let failures = 1;
    rig.home.set.answer = (iq, what) => (what === 'publish' && textOf(iq) === 'old' && failures-- > 0 ? 'internal-server-error' : undefined);
    await rig.add();
    await rig.publish('t', 'warm');
    await rig.drained();
    await Promise.all([rig.item('t', 'state', 'old'), rig.item('t', 'state', 'new'), rig.publish('t', 'last')]);
    await rig.drained();
    expect(rig.at('t', 'state')).toBe('new');
    expect(rig.count('t')).toBe(3);
  });

  it('and retracted stays so', async () => {
    await using rig = await createRig();
    let failures = 1;
    rig.home.set.answer = (iq, what) => (what === 'publish' && textOf(iq) === 'old' && failures-- > 0 ? 'internal-server-error' : undefined);
    await rig.add();
    await rig.publish('t', 'warm');
    await rig.drained();
    await Promise.all([rig.item('t', 'state', 'old'), rig.log.append({ topic: 't', kind: 'retract', id: 'state' })]);
    await rig.drained();
    expect(rig.at('t', 'state')).toBeUndefined();
  });
});

describe('reading back', () => {
  it('an answer larger than may come is asked for in smaller pages', async () => {
    await using rig = await createRig({ limits: { settle: 3_600_000, incoming: 100_000 } });
    const { home } = rig;
    await rig.add();
    await rig.publish('t', ...numbers(0, 60));
    await rig.acknowledged('t', 60);
    // Somebody else has written over them, at length.
    const node = home.nodes.get('t') ?? new Map<string, Element>();
    for (const id of node.keys()) node.set(id, xml('other', { xmlns: 'x' }, 'x'.repeat(5_000)));
    home.set.resumable = false;
    home.cut();
    await rig.publish('t', 'more');
    await rig.acknowledged('t', 61);
    expect(rig.arrivals('t').length).toBe(61);
  });

  it('a service that gives the whole node, whatever is asked, stops nothing for ever', async () => {
    await using rig = await createRig({ limits: { settle: 3_600_000, incoming: 50_000 } });
    const { home } = rig;
    await rig.add();
    await rig.publish('t', 1, 2, 3);
    await rig.acknowledged('t', 3);
    home.set.answer = (iq, what) => (what === 'items' ? iqResult(iq, xml('pubsub', { xmlns: 'http://jabber.org/protocol/pubsub' }, xml('items', {}, xml('item', { id: 'x' }, 'x'.repeat(60_000))))) : undefined);
    home.set.resumable = false;
    home.cut();
    await rig.publish('t', 4);
    await rig.acknowledged('t', 4);
    expect(rig.at('t', 'x')).toBeUndefined();
  });

  it('a service that does not say what it has of one topic keeps no other from settling', async () => {
    await using rig = await createRig({ limits: { settle: 600 } });
    const { home } = rig;
    await rig.add();
    await Promise.all([rig.publish('dumb', 1), rig.publish('good', 1)]);
    await Promise.all([rig.acknowledged('dumb', 1), rig.acknowledged('good', 1)]);
    home.set.answer = (_iq, what, node) => (what === 'items' && node === 'dumb' ? 'silence' : undefined);
    home.set.resumable = false;
    home.cut();
    await rig.until(async () => (await rig.status())?.queued === 1);
    expect([rig.held(), [...rig.log.cursors()].map(({ position }) => position)]).toEqual([['dumb'], [rig.log.head]]);
  });

  it('a topic that goes its own way when it has just been read back settles no sooner for that', async () => {
    const settle = 1_000;
    await using rig = await createRig({ limits: { settle } });
    const { home } = rig;
    await rig.add();
    await rig.publish('t', 1);
    await rig.acknowledged('t', 1);
    const acknowledged = performance.now();
    let seen = 0;
    home.set.answer = (_iq, what) => {
      if (what === 'items') seen = performance.now();
      return what === 'publish' ? 'forbidden' : undefined;
    };
    home.set.resumable = false;
    await rig.until(() => performance.now() - acknowledged > settle / 2);
    home.cut();
    await rig.publish('t', 2);
    await rig.until(() => rig.held().includes('t'));
    await rig.until(async () => (await rig.status())?.queued === 1);
    expect(performance.now() - seen).toBeGreaterThan(settle);
  });

  it('a topic that goes its own way while it is read back is read back to its end', async () => {
    await using rig = await createRig({ limits: { settle: 800 } });
    const { home } = rig;
    await rig.add();
    await rig.publish('t', ...numbers(0, 250));
    await rig.acknowledged('t', 250);
    let pages = 0;
    const nothing = (iq: Element): Element => iqResult(iq, xml('pubsub', { xmlns: 'http://jabber.org/protocol/pubsub' }, xml('items', { node: 't' })));
    home.set.answer = (iq, what) => {
      if (what !== 'items') return undefined;
      if (++pages !== 2) return nothing(iq);
      // Answered when the box has given up waiting for it.
      void rig.until(() => rig.held().includes('t')).then(() => home.say(nothing(iq)));
      return 'silence';
    };
    home.nodes.get('t')?.clear();
    home.set.resumable = false;
    home.cut();
    await rig.drained();
    expect(rig.count('t')).toBe(250);
    expect(rig.arrivals('t')).toEqual([...texts(0, 250), ...texts(0, 250)]);
  });

  it('a topic whose items seemed lost goes on, also when the session goes while they are to be sent again', async () => {
    await using rig = await createRig({ limits: { settle: 3_600_000 } });
    const { home, database } = rig;
    await rig.add();
    await rig.publish('t', 1, 2, 3);
    await rig.acknowledged('t', 3);
    home.set.resumable = false;
    const there = new Map(home.nodes.get('t'));
    beforeWrites(database, async (apart) => {
      if (!apart || home.sessions !== 2) return;
      home.nodes.set('t', there);
      home.cut();
      await rig.until(() => home.sessions === 3);
      await rig.state('online');
    });
    home.nodes.get('t')?.clear();
    home.cut();
    await rig.publish('t', 4);
    await rig.until(() => rig.count('t') === 4);
    await rig.publish('t', 5);
    await rig.until(() => rig.count('t') === 5);
    expect(rig.arrivals('t').slice(3)).toEqual(['4', '5']);
  });

  it('foreign and empty answers make it send again what has not settled, no more', async () => {
    await using rig = await createRig({ limits: { settle: 3_600_000 } });
    const { home } = rig;
    await rig.add();
    await rig.publish('t', 1, 2, 3);
    await rig.acknowledged('t', 3);
    home.set.answer = (iq, what) => (what === 'items' ? iqResult(iq, xml('strange', { xmlns: 'x' })) : undefined);
    home.set.resumable = false;
    home.cut();
    await rig.publish('t', 4);
    await rig.acknowledged('t', 4);
    expect(rig.arrivals('t')).toEqual(['1', '2', '3', '1', '2', '3', '4']);
  });

  it('a node that keeps few items ends with the newest', async () => {
    await using rig = await createRig({ limits: { settle: 3_600_000 } });
    const { home } = rig;
    await rig.add();
    await rig.publish('t', ...numbers(0, 30));
    await rig.acknowledged('t', 30);
    const node = home.nodes.get('t') ?? new Map<string, Element>();
    const trim = (): void => { for (const id of [...node.keys()].slice(0, -10)) node.delete(id); };
    trim();
    home.set.before = trim;
    home.set.resumable = false;
    home.cut();
    await rig.publish('t', 30);
    await rig.until(() => rig.arrivals('t').at(-1) === '30');
    await rig.until(() => rig.arrivals('t').length >= 31 + 20);
    trim();
    expect([...node.values()].map((record) => record.getChild('json')?.getText()).toSorted((a, b) => Number(a) - Number(b))).toEqual(texts(21, 31));
  });
});

describe('a node that went while the box was away', () => {
  it('is made as it should be, not left to the service to make', async () => {
    await using rig = await createRig();
    const { home } = rig;
    await rig.add();
    await rig.publish('t', 1);
    await rig.drained();
    home.nodes.delete('t');
    // As ejabberd: a publish makes the node, open to all.
    home.set.before = (stanza) => {
      const node = stanza.getChild('pubsub')?.getChild('publish')?.attrs['node'] as string | undefined;
      if (node !== undefined && !home.nodes.has(node)) home.nodes.set(node, new Map([['made by the service', xml('x')]]));
    };
    home.set.resumable = false;
    home.cut();
    await rig.until(() => home.sessions === 2);
    await rig.state('online');
    await rig.publish('t', 2);
    await rig.drained();
    expect([...home.nodes.get('t')?.keys() ?? []]).not.toContain('made by the service');
  });

  it('and cannot be made is asked for a few times, then the topic waits', async () => {
    await using rig = await createRig();
    rig.home.set.answer = (_iq, what, node) => (node !== 'bad' ? undefined : what === 'create' ? new StanzaError('forbidden', { text: 'Denied by the rules of the house' }) : 'item-not-found');
    await rig.add();
    await rig.publish('bad', 1, 2);
    await rig.publish('good', 1);
    await rig.until(async () => (await rig.status())?.queued === 2);
    await rig.until(() => rig.troubles.some((trouble) => trouble.kind === 'home.held'));
    expect((await rig.status())?.reason).toBe('bad: the node is not there and cannot be made: forbidden: Denied by the rules of the house');
    expect(rig.home.stanzas.filter((stanza) => attr(stanza.getChild('pubsub')?.getChild('create') ?? xml('x'), 'node') === 'bad').length).toBeLessThan(5);
  });
});

describe('what the service says', () => {
  it('is kept and told at a sensible length', async () => {
    await using rig = await createRig();
    rig.home.set.answer = (_iq, what) => (what === 'publish' ? new StanzaError('bad-request', { type: 'modify', text: 'x'.repeat(100_000) }) : undefined);
    await rig.add();
    await rig.publish('t', 1);
    await rig.drained();
    expect(rig.troubles.every((trouble) => trouble.message.length < 1_000)).toBe(true);
    const [aside] = await rig.asides();
    expect(JSON.stringify(aside?.note).length).toBeLessThan(1_000);
  });

  it('about an item put aside does not fill the memory with what was put aside', async () => {
    await using rig = await createRig();
    rig.home.set.answer = (_iq, what) => (what === 'publish' ? new StanzaError('bad-request', { type: 'modify' }) : undefined);
    await rig.add();
    for (let n = 0; n < 60; n++) await rig.publish('t', `${n}${'x'.repeat(150_000)}`);
    await rig.until(() => rig.troubles.filter((trouble) => trouble.kind === 'home.poison').length === 60);
    // The notes are in memory, the records are where they were: in the log.
    const asides = await rig.asides();
    expect(JSON.stringify(asides.map(({ note }) => note)).length).toBeLessThan(60_000);
    expect(asides.map(({ record }) => record.payload?.bytes.length ?? 0)).toEqual(numbers(0, 60).map((n) => 150_000 + String(n).length));
    await rig.homes.remove(rig.home.account.jid);
    expect(await rig.asides()).toEqual([]);
  });
});

it('eight topics that are never answered stop no other', async () => {
  await using rig = await createRig();
  rig.home.set.answer = (_iq, _what, node) => (node.startsWith('dumb') ? 'silence' : undefined);
  await rig.add();
  await rig.publish('good', 0);
  await rig.drained();
  for (let n = 0; n < 8; n++) await rig.publish(`dumb/${n}`, 1);
  await rig.until(() => rig.home.stanzas.filter((stanza) => String(stanza.getChild('pubsub')).includes('dumb/')).length === 8);
  await rig.publish('dumb/9', 1);
  await rig.publish('good', 1);
  await rig.acknowledged('good', 2);
  expect(rig.count('good')).toBe(2);
});

it('topics are served in turn', async () => {
  await using rig = await createRig();
  await rig.add();
  await rig.state('online');
  await rig.publish('a', ...numbers(0, 120));
  await rig.publish('b', ...numbers(0, 120));
  await rig.drained();
  const order = rig.home.stanzas.map((stanza) => stanza.getChild('pubsub')?.getChild('publish')?.attrs['node'] as string).filter((node) => node !== undefined);
  expect(order.indexOf('b')).toBeLessThan(60);
});

it('what cannot stand in XML is put aside, not sent to end the stream', async () => {
  await using rig = await createRig();
  await rig.add();
  await rig.log.append({ topic: 't', kind: 'publish', id: 'bad\u0001id', payload: { contentType: 'text/plain', bytes: Buffer.from('x') } });
  // From another box's file, or an export of long ago.
  await rig.log.append({ topic: 't', kind: 'publish', id: 'typed', payload: { contentType: 'text/x\u0001', bytes: Buffer.from('x') } });
  await rig.publish('t', 'fine');
  await rig.drained();
  expect([rig.count('t'), rig.home.sessions, (await rig.asides()).length]).toEqual([1, 1, 2]);
});

it('what cannot stand in XML takes nothing along that it would be packed with', async () => {
  await using rig = await createRig();
  await rig.add({ topics: [], up: [{ filter: '#', pack: true }] });
  await rig.state('online');
  await rig.homes.pause('box@home.test');
  for (let n = 0; n < 20; n++) await rig.log.append({ topic: 't', kind: 'publish', payload: { contentType: n % 10 === 5 ? 'text/x\u0001' : 'text/plain', bytes: Buffer.from('x') } });
  await rig.homes.resume('box@home.test');
  await rig.drained();
  expect([rig.home.sessions, (await rig.asides()).length]).toEqual([1, 2]);
});

it('two homes do not disturb each other', async () => {
  await using rig = await createRig();
  await using other = await createRig();
  rig.home.set.answer = (_iq, what) => (what === 'publish' ? 'forbidden' : undefined);
  await rig.add();
  await rig.homes.add({ ...other.home.account, jid: 'other@home.test', topics: ['#'] });
  await rig.publish('t', 1, 2, 3);
  await other.until(() => other.count('t') === 3);
  expect(rig.count('t')).toBe(0);
});
