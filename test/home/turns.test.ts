import { describe, expect, it } from 'vitest';
import { WINDOW } from '../../src/home/window.ts';
import { attr } from '../../src/xmpp/element.ts';
import { quiet } from '../support/quiet.ts';
import { createRig, type Rig } from './rig.ts';
import { stored } from './stored.ts';

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
const nodes = (rig: Rig): string[] => rig.home.stanzas.flatMap((stanza) => {
  const publish = stanza.getChild('pubsub')?.getChild('publish');
  return publish ? [attr(publish, 'node') ?? ''] : [];
});

describe('whose turn it is', () => {
  it('a topic that is published to now does not wait for the backlog of another', async () => {
    await using rig = await createRig();
    await rig.publish('old', ...range(5_000));
    await rig.add();
    await rig.until(() => rig.count('old') > 0);
    const before = nodes(rig).length;
    await rig.publish('new', 1);
    await rig.until(() => rig.count('new') === 1);
    // What is in flight, and what goes while it is asked whether the node is there.
    expect(nodes(rig).indexOf('new') - before).toBeLessThan(1_000);
    await rig.drained();
    expect(rig.arrivals('old').map(Number)).toEqual(range(5_000));
    await rig.until(() => rig.held().length === 0);
  });

  it('of two topics that fall behind together neither waits until what went up of the other has settled', async () => {
    await using rig = await createRig({ limits: { settle: 3_600_000 } });
    await rig.add({ topics: [], up: [{ filter: '#', pack: true }] });
    await rig.state('online');
    await rig.homes.pause('box@home.test');
    for (let n = 0; n < 2_500; n += 50) await Promise.all(['a', 'b'].map((topic) => rig.publish(topic, ...range(50).map((i) => n + i))));
    await rig.homes.resume('box@home.test');
    const ordered = (topic: string): number[] => stored(rig.home, topic).map(({ seq }) => seq);
    await rig.until(() => ordered('a').length >= 2_500 && ordered('b').length >= 2_500);
    for (const topic of ['a', 'b']) expect(ordered(topic)).toEqual([...new Set(ordered(topic))].toSorted((a, b) => a - b));
  });

  it('what a topic needs to know of its node is asked while as much of another as may be is unanswered', async () => {
    await using rig = await createRig();
    await rig.publish('old', ...range(2_000));
    rig.home.set.answer = (_iq, what, node) => (what === 'publish' && node === 'old' && rig.count('old') > 900 ? 'silence' : undefined);
    await rig.add();
    const sent = (): number => nodes(rig).filter((node) => node === 'old').length;
    await rig.until(() => rig.count('old') > 900);
    // As many as its answers let it.
    for (let before = -1; before < sent();) {
      before = sent();
      await quiet();
    }
    await rig.publish('new', 1);
    await rig.until(() => rig.home.nodes.has('new'));
    expect(rig.troubles).toEqual([]);
  });

  it('nor after a restart in the middle of it, and all arrives in order', async () => {
    await using rig = await createRig();
    await rig.publish('old', ...range(3_000));
    await rig.add();
    await rig.until(() => rig.count('old') > 500);
    await rig.restart();
    const before = nodes(rig).length;
    await rig.publish('new', 1);
    await rig.until(() => rig.count('new') === 1);
    expect(nodes(rig).indexOf('new') - before).toBeLessThan(1_000);
    await rig.drained();
    expect(rig.count('old')).toBe(3_000);
    const numbers = rig.arrivals('old').map(Number);
    const firsts = numbers.filter((n, i) => numbers.indexOf(n) === i);
    expect(firsts).toEqual(range(3_000));
  });

  it('what has a higher priority goes first', async () => {
    await using rig = await createRig();
    await rig.publish('low', ...range(1_500));
    await rig.publish('high', ...range(1_500));
    await rig.add({ topics: ['low'], up: [{ filter: 'high', priority: 5 }] });
    await rig.drained();
    const order = nodes(rig);
    // What was in flight when the first of the others came may be of either.
    expect(order.lastIndexOf('high')).toBeLessThan(1_500 + WINDOW.most);
  });

  it('what waited for longer than its rule allows is not sent, and the ledger has it', async () => {
    await using rig = await createRig();
    await rig.publish('t', 1, 2, 3);
    const losses: object[] = [];
    const note = rig.log.noteLoss.bind(rig.log);
    rig.log.noteLoss = (loss) => {
      losses.push(loss);
      return note(loss);
    };
    await rig.until(() => true);
    const old = performance.now() + 1_100;
    while (performance.now() < old) await new Promise(setImmediate);
    await rig.publish('t', 4);
    await rig.add({ topics: [], up: [{ filter: 't', expire: 1_000 }] });
    await rig.drained();
    expect(rig.arrivals('t')).toEqual(['4']);
    expect(losses).toEqual([expect.objectContaining({ topic: 't', count: 3, reason: 'expired' })]);
  });
});
