import { describe, expect, it } from 'vitest';
import { attr, xml, type Element } from '../../src/xmpp/element.ts';
import { iqResult } from '../../src/xmpp/stanza.ts';
import { StanzaError } from '../../src/xmpp/stanza-error.ts';
import { quiet } from '../support/quiet.ts';
import { beforeWrites } from './cursor-writes.ts';
import { startPassingClock } from './recorded/passing-clock.ts';
import { createRig, type Rig } from './rig.ts';

const NS_OWNER = 'http://jabber.org/protocol/pubsub#owner';
const numbers = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
const form = (...fields: Element[]): Element => xml('x', { xmlns: 'jabber:x:data', type: 'form' }, ...fields);
const field = (name: string, values: readonly string[], ...more: Element[]): Element => xml('field', { var: name }, ...values.map((value) => xml('value', {}, value)), ...more);

/** A node of the account's own that keeps so many, and what it was asked to keep; `most` it is let. */
function keeping(rig: Rig, keeps: string, most: number, { told = true } = {}): string[] {
  const asked: string[] = [];
  let now = keeps;
  rig.home.set.answer = (iq, what, node) => {
    const create = iq.getChild('pubsub')?.getChild('create');
    if (create) {
      const items = iq.getChild('pubsub')?.getChild('configure')?.getChild('x')?.getChildren('field').find((one) => attr(one, 'var') === 'pubsub#max_items')?.getChildText('value') ?? '';
      if (attr(create, 'node')?.startsWith('lanpost/room/') === true) asked.push(items);
      return items !== 'max' && Number(items) > most ? 'bad-request' : undefined;
    }
    if (what !== 'configure') return undefined;
    if (attr(iq, 'type') === 'get') {
      const range = xml('validate', { xmlns: 'http://jabber.org/protocol/xdata-validate' }, xml('range', { min: '1', max: String(most) }));
      return iqResult(iq, xml('pubsub', { xmlns: NS_OWNER }, xml('configure', { node }, form(field('pubsub#max_items', [now], ...(told ? [range] : []))))));
    }
    const wanted = iq.getChild('pubsub', NS_OWNER)?.getChild('configure')?.getChild('x')?.getChildren('field').at(-1)?.getChildText('value') ?? '';
    asked.push(wanted);
    if (wanted !== 'max' && Number(wanted) > most) return 'bad-request';
    now = wanted;
    return iqResult(iq);
  };
  return asked;
}

const told = (rig: Rig): string[] => rig.troubles.filter(({ kind }) => kind === 'home.short').map(({ message }) => message);

describe('a node that keeps fewer items than wait for it', () => {
  it('is told of before they go, in status and in the ledger', async () => {
    await using rig = await createRig();
    keeping(rig, '256', 256);
    const lost: object[] = [];
    const note = rig.log.noteLoss.bind(rig.log);
    rig.log.noteLoss = (loss) => {
      lost.push({ ...loss, sent: rig.count('a') });
      return note(loss);
    };
    await rig.publish('a', ...numbers(500));
    await rig.add();
    await rig.until(() => told(rig).length === 1);
    expect(told(rig)[0]).toContain('500 records of a wait, and the node a keeps 256 items');
    expect((await rig.status())?.short).toEqual([{ topic: 'a', node: 'a', keeps: 256, waiting: 500 }]);
    await rig.drained();
    expect(lost).toEqual([{ reader: 'home:box@home.test #', topic: 'a', from: expect.any(Number) as number, to: expect.any(Number) as number, count: 244, reason: 'short', sent: 0 }]);
    await rig.until(async () => (await rig.status())?.short === undefined);
  });

  it('is made to keep more where the server lets it, and nothing is said', async () => {
    await using rig = await createRig();
    const asked = keeping(rig, '20', 100_000);
    await rig.publish('a', ...numbers(500));
    await rig.add();
    await rig.drained();
    expect(asked).toEqual(['max']);
    expect(told(rig)).toEqual([]);
  });

  it('is found also where nobody says how many `max` is, by asking for as many as wait', async () => {
    await using rig = await createRig();
    const asked = keeping(rig, 'max', 300, { told: false });
    await rig.publish('a', ...numbers(500));
    await rig.add();
    await rig.drained();
    // Of another node: one that is told to keep fewer than it holds drops the rest.
    expect(asked).toEqual(['1000', 'max', '500']);
    expect([...rig.home.nodes.keys()]).toEqual(['a']);
    expect(told(rig)[0]).toContain('keeps fewer, the server does not say how many');
  });

  it('and as many as wait may be kept: nothing is said, and the node is as it was', async () => {
    await using rig = await createRig();
    const asked = keeping(rig, 'max', 100_000, { told: false });
    await rig.publish('a', ...numbers(500));
    await rig.add();
    await rig.drained();
    expect([asked, told(rig), [...rig.home.nodes.keys()]]).toEqual([['1000'], [], ['a']]);
  });

  it('and is somebody else\'s is told of where the service says it', async () => {
    await using rig = await createRig();
    rig.home.set.answer = (iq, what) => {
      if (what === 'configure') return 'forbidden';
      return iq.getChild('query', 'http://jabber.org/protocol/disco#info') ? iqResult(iq, xml('query', { xmlns: 'http://jabber.org/protocol/disco#info' }, form(field('pubsub#max_items', ['100'])))) : undefined;
    };
    await rig.publish('a', ...numbers(300));
    await rig.add();
    await rig.drained();
    expect(told(rig)[0]).toContain('keeps 100 items');
  });

  it('is told of also when all of it came while the session was only broken', async () => {
    await using rig = await createRig();
    keeping(rig, '256', 256);
    await rig.add();
    await rig.publish('a', 1);
    await rig.drained();
    rig.home.cut();
    await rig.publish('a', ...numbers(500));
    await rig.drained();
    expect(rig.home.resumed).toBe(1);
    expect(told(rig)).toHaveLength(1);
  });

  it('is told of also where the topic goes on before the disk has the cursor of its own', async () => {
    await using rig = await createRig();
    // What went before this process began is not there: none of it is looked for any more.
    rig.home.set.answer = (_iq, what) => (what === 'publish' ? 'silence' : undefined);
    await rig.add();
    await rig.publish('a', 1, 2, 3);
    await rig.until(() => rig.arrivals('a').length === 3);
    keeping(rig, '256', 256);
    await rig.restart();
    await rig.drained();
    // As many as it keeps may wait before it is looked at again.
    await rig.publish('a', ...numbers(40));
    await rig.drained();
    beforeWrites(rig.database, async (apart) => { if (apart) await rig.until(() => rig.count('a') > 43); });
    rig.home.cut();
    await rig.publish('a', ...numbers(500));
    await rig.drained();
    expect(rig.count('a')).toBe(543);
    expect(told(rig)).toHaveLength(1);
  });

  it('is not asked about while little waits', async () => {
    await using rig = await createRig();
    await rig.publish('a', ...numbers(15));
    rig.home.nodes.set('b', new Map());
    await rig.publish('b', ...numbers(10));
    await rig.add();
    await rig.drained();
    expect(rig.home.stanzas.some((stanza) => stanza.getChild('pubsub', NS_OWNER))).toBe(false);
  });

  it('and was there before is asked about when more than a handful waits', async () => {
    await using rig = await createRig();
    keeping(rig, '50', 50);
    rig.home.nodes.set('a', new Map());
    await rig.publish('a', ...numbers(150));
    await rig.add();
    await rig.drained();
    expect(told(rig)[0]).toContain('150 records of a wait, and the node a keeps 50 items');
  });

  it('is told of where that many packs may come of what waits, however many records a pack might have', async () => {
    await using rig = await createRig();
    keeping(rig, '20', 20);
    rig.home.nodes.set('a', new Map());
    // 500 records of a pack would be two packs of these; they are as small as a server that is not known yet is given.
    await rig.publish('a', ...numbers(900).map((n) => `${n} ${'x'.repeat(300)}`));
    await rig.add({ topics: [], up: [{ filter: '#', pack: true }] });
    await rig.until(() => told(rig).length === 1);
    expect(told(rig)[0]).toContain('of what has gone up, the oldest may be gone there');
  });
});

/** What the ledger is told of nodes that keep fewer, and how many items of the topic the node had then. */
function losses(rig: Rig, topic = 'a'): { there: number }[] {
  const lost: { reason: string; count: number | undefined; there: number }[] = [];
  const note = rig.log.noteLoss.bind(rig.log);
  rig.log.noteLoss = (loss) => {
    lost.push({ reason: loss.reason, count: loss.count, there: rig.count(topic) });
    return note(loss);
  };
  return lost;
}

describe('a backlog that grows beyond what its node keeps', () => {
  it.each<[string, string, number, boolean]>([
    ['says how many it keeps', '256', 256, true], ['keeps as many as the service lets it, which does not say how many', 'max', 300, false],
  ])('while the session lives, to a node that %s: is told of once, before one is driven out', async (_which, keeps, most, says) => {
    const clock = startPassingClock(1);
    try {
      await using rig = await createRig({ time: clock });
      keeping(rig, keeps, most, { told: says });
      const lost = losses(rig);
      // About as many go as it has for six minutes.
      await rig.add({ budget: 100_000 });
      await rig.publish('a', ...numbers(65));
      await rig.until(async () => (await rig.status())?.reason?.includes('budget') ?? false);
      await quiet();
      expect(told(rig)).toEqual([]);
      await rig.publish('a', ...numbers(500));
      clock.rate = 100;
      await rig.until(() => told(rig).length === 1);
      expect((await rig.status())?.short).toMatchObject([{ topic: 'a', node: 'a', ...(says ? { keeps: 256 } : {}) }]);
      for (let n = 0; n < 4; n++) await rig.publish('a', ...numbers(500));
      // It tells how many wait now, at least half of them.
      await rig.until(async () => ((await rig.status())?.short?.[0]?.waiting ?? 0) > 1200);
      expect(told(rig)).toHaveLength(1);
      // How many will be gone is not known while they come.
      expect(lost).toEqual([{ reason: 'short', count: undefined, there: expect.any(Number) as number }]);
      expect(lost[0]?.there).toBeLessThan(65);
    } finally {
      clock.stop();
    }
  });

  it('while some of it is on its way, and the session is only broken', async () => {
    await using rig = await createRig();
    keeping(rig, '256', 256);
    const lost = losses(rig);
    await rig.add({ budget: 100_000 });
    await rig.publish('a', ...numbers(200));
    await rig.until(async () => (await rig.status())?.reason?.includes('budget') ?? false);
    expect(told(rig)).toEqual([]);
    rig.home.cut();
    await rig.publish('a', ...numbers(500));
    await rig.until(() => told(rig).length === 1);
    expect(rig.home.resumed).toBe(1);
    expect(lost).toEqual([{ reason: 'short', count: expect.any(Number) as number, there: expect.any(Number) as number }]);
  });

  it('where what is live goes first, and it is left behind', async () => {
    await using rig = await createRig();
    keeping(rig, '256', 256);
    await rig.publish('a', ...numbers(1000));
    await rig.add({ topics: [], up: [{ filter: 'a', order: 'any' }] });
    await rig.until(() => told(rig).length === 1);
    expect(told(rig)[0]).toContain('1000 records of a wait');
    await rig.drained();
    expect(told(rig)).toHaveLength(1);
  });

  it('again after it has gone: is told of again', async () => {
    await using rig = await createRig();
    keeping(rig, '50', 50);
    const lost = losses(rig);
    await rig.add();
    for (const times of [1, 2]) {
      rig.home.cut();
      // Fewer than get a cursor of their own.
      await rig.publish('a', ...numbers(60));
      await rig.drained();
      expect(told(rig)).toHaveLength(times);
      await rig.until(async () => (await rig.status())?.short === undefined);
    }
    expect(lost).toHaveLength(2);
  });
});

describe('a topic that was held back while its backlog grew', () => {
  it('is told of before it goes, when the owner gives the right', async () => {
    const clock = startPassingClock(1);
    try {
      await using rig = await createRig({ time: clock });
      let forbidden = true;
      const asked = keeping(rig, '256', 256);
      const { answer } = rig.home.set;
      rig.home.set.answer = (iq, what, node) => {
        if (what === 'publish' && forbidden) return 'forbidden';
        // Once it is asked again, nobody waits so long for its answers that they come too late, however busy the machine is.
        if (!forbidden) clock.rate = 20;
        return answer(iq, what, node);
      };
      const lost = losses(rig);
      await rig.add();
      await rig.publish('a', 1, 2, 3);
      await rig.until(() => rig.held().includes('a'));
      await rig.publish('a', ...numbers(497));
      await quiet();
      expect([told(rig), asked]).toEqual([[], []]);
      forbidden = false;
      clock.rate = 1000;
      await rig.drained();
      expect(told(rig)).toEqual([expect.stringContaining('500 records of a wait, and the node a keeps 256 items')]);
      expect(lost).toEqual([{ reason: 'short', count: 244, there: 0 }]);
      expect(rig.home.sessions).toBe(1);
    } finally {
      clock.stop();
    }
  });
});

describe('a node that the box has just made', () => {
  it.each<[string, string, number, boolean]>([['says so', '100', 100, true], ['does not say so', 'max', 100, false]])('at a service that lets it keep few, and %s, is told of', async (_which, keeps, most, says) => {
    await using rig = await createRig();
    keeping(rig, keeps, most, { told: says });
    const lost = losses(rig);
    await rig.publish('a', ...numbers(150));
    await rig.add();
    await rig.drained();
    expect(told(rig)).toEqual([expect.stringContaining(says ? '150 records of a wait, and the node a keeps 100 items' : 'keeps fewer')]);
    expect(lost).toEqual([{ reason: 'short', count: says ? 50 : undefined, there: 0 }]);
  });

  it('beside others is not asked about each time, where the service has to be', async () => {
    await using rig = await createRig();
    const asked = keeping(rig, 'max', 100_000, { told: false });
    for (let n = 0; n < 20; n++) await rig.publish(`t${n}`, ...numbers(20 + n));
    await rig.add();
    await rig.drained();
    expect(asked).toEqual(['256']);
  });
});

describe('a node that keeps fewer items than might be in flight', () => {
  const restarted = (rig: Rig): Promise<void> => rig.restart();
  const reconnected = async (rig: Rig): Promise<void> => {
    rig.home.set.resumable = false;
    rig.home.cut();
    await rig.until(() => rig.home.sessions === 2);
  };
  it.each<[string, string, (rig: Rig) => Promise<void>]>([
    ['that was there', 'process', restarted], ['that was there', 'session', reconnected], ['that the box made', 'process', restarted], ['that the box made', 'session', reconnected],
  ])('%s has no more in flight than it keeps: another %s knows what it never took, and sends nothing twice', async (which, _how, again) => {
    const keeps = 40;
    await using rig = await createRig({ limits: { settle: 3_600_000 } });
    if (which === 'that was there') rig.home.nodes.set('t', new Map());
    rig.home.set.maxItems = String(keeps);
    await rig.add();
    for (const count of [50, 100]) {
      await rig.publish('t', ...numbers(50));
      await rig.acknowledged('t', count);
    }
    // One is refused, and of all that follows the answers are lost as well.
    rig.home.set.before = (stanza) => {
      rig.home.set.forgets = stanza.getChild('pubsub')?.getChild('publish') !== undefined;
      return stanza.toString().includes('>refused<') ? 'drop' : undefined;
    };
    await rig.publish('t', 'refused', ...numbers(60).map((n) => `n${n}`));
    await rig.until(() => rig.count('t') >= 100 + keeps - 1);
    await quiet();
    expect(rig.count('t')).toBe(100 + keeps - 1);
    const node = rig.home.nodes.get('t')!;
    for (const id of [...node.keys()].slice(0, node.size - keeps)) node.delete(id);
    rig.home.set.forgets = false;
    rig.home.set.before = () => undefined;
    const before = rig.arrivals('t').length;
    await again(rig);
    await rig.publish('t', 'last');
    await rig.until(() => rig.arrivals('t').includes('last'));
    expect(rig.arrivals('t').slice(before)).toEqual(['refused', ...numbers(60).map((n) => `n${n}`).slice(keeps - 1), 'last']);
  });
});

describe('a node that is another account\'s', () => {
  it('is said to be, with whose it is and how to have one of the box\'s own', async () => {
    await using rig = await createRig();
    rig.home.set.answer = (iq, what) => {
      if (what === 'publish') return 'forbidden';
      return iq.getChild('query', 'http://jabber.org/protocol/disco#info') ? iqResult(iq, xml('query', { xmlns: 'http://jabber.org/protocol/disco#info' }, form(field('pubsub#owner', ['anna@home.test']), field('pubsub#creator', ['anna@home.test'])))) : undefined;
    };
    await rig.add();
    await rig.publish('plant', 1);
    await rig.until(() => rig.troubles.some(({ kind }) => kind === 'home.owner'));
    expect((await rig.status())?.reason).toBe('plant: forbidden; the node plant belongs to anna@home.test; nodes of this box\'s own are had by node={box}/{topic} in the rule of #');
  });

  it('is said to be also where nobody tells whose; one of the account\'s own is not', async () => {
    await using rig = await createRig();
    rig.home.set.answer = (iq, what, node) => {
      if (what === 'publish' || what === 'affiliations') return 'forbidden';
      return iq.getChild('query', 'http://jabber.org/protocol/disco#info') ? iqResult(iq, xml('query', { xmlns: 'http://jabber.org/protocol/disco#info' }, ...(node === 'mine' ? [form(field('pubsub#owner', ['box@home.test']))] : []))) : undefined;
    };
    await rig.add();
    await rig.publish('mine', 1);
    await rig.publish('plant', 1);
    await rig.until(() => rig.troubles.some(({ kind }) => kind === 'home.owner'));
    expect(rig.troubles.filter(({ kind }) => kind === 'home.owner').map(({ message }) => message)).toEqual([expect.stringContaining('the node plant belongs to another account, which the service does not name')]);
  });
});

it('a node that is not there, and may not be made, is said not to be there, where the service refuses that as it refuses another account\'s', async () => {
  await using rig = await createRig();
  rig.home.set.answer = (iq, what, node) => (node === 'good' ? undefined : what === 'publish' ? 'forbidden' : what === 'create' ? new StanzaError('forbidden', { text: 'Not here' }) : iq.getChild('query', 'http://jabber.org/protocol/disco#info') ? 'item-not-found' : undefined);
  await rig.add({ service: 'pubsub.home.test' });
  await rig.publish('plant', 1);
  await rig.until(async () => (await rig.status())?.reason === 'plant: forbidden; the node plant is not there and cannot be made: forbidden: Not here');
  await rig.publish('good', 1);
  await rig.until(() => rig.count('good') === 1);
  // It is nobody's.
  expect(rig.troubles.map(({ kind }) => kind)).toEqual(['home.held']);
});
