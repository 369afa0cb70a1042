import { describe, expect, it } from 'vitest';
import { createTestClock } from '../../src/clock.ts';
import { quiet } from '../support/quiet.ts';
import { createRig, type Rig } from './rig.ts';

type Clock = ReturnType<typeof createTestClock>;

/** A node that drops its oldest items beyond so many. */
function keeps(rig: Rig, items: number): void {
  rig.home.set.maxItems = String(items);
  rig.home.set.before = () => {
    for (const node of rig.home.nodes.values()) for (const id of [...node.keys()].slice(0, -items)) node.delete(id);
  };
}

async function passing(clock: Clock, seconds: number, enough: () => boolean = () => false): Promise<void> {
  for (let i = 0; i < seconds && !enough(); i++) {
    clock.advance(1_000);
    await quiet();
  }
}

async function settledFirst(rig: Rig, clock: Clock): Promise<void> {
  await rig.add();
  await rig.publish('t', 'first');
  await rig.until(() => rig.count('t') === 1);
  await passing(clock, 130);
}

const values = (from: number, to: number): string[] => Array.from({ length: to - from }, (_, i) => `v${from + i}`);

describe('what went up before the box was started again', () => {
  it.each([256, 40])('is not sent again where the node keeps %i items and has let go of the first of it', async (items) => {
    const clock = createTestClock();
    const options = { clock, limits: { settle: 60_000 } };
    await using rig = await createRig(options);
    keeps(rig, items);
    await settledFirst(rig, clock);
    for (let n = 0; n < 600; n += 20) await rig.publish('t', ...values(n, n + 20));
    await rig.until(() => rig.arrivals('t').length === 601);
    await quiet();
    const before = rig.home.stanzas.length;
    await rig.restart(options);
    await rig.publish('t', 'new');
    await rig.until(() => rig.arrivals('t').includes('new'));
    await passing(clock, 100);
    expect(rig.arrivals('t')).toEqual(['first', ...values(0, 600), 'new']);
    // Some questions, and not one for each item.
    expect(rig.home.stanzas.length - before).toBeLessThan(40);
    expect((await rig.status())?.queued).toBe(0);
  });

  it('is found behind one that failed again and again, and that one is sent', async () => {
    const clock = createTestClock();
    const options = { clock, limits: { settle: 60_000 } };
    await using rig = await createRig(options);
    await settledFirst(rig, clock);
    // It fills a question about what is there by itself.
    const large = 'x'.repeat(130_900);
    rig.home.set.answer = (iq, what) => (what === 'publish' && iq.toString().includes('xxx') ? 'resource-constraint' : undefined);
    await rig.publish('t', large, 'a', 'b', 'c', 'd');
    const small = (): string[] => rig.arrivals('t').filter((text) => !text.startsWith('x'));
    await passing(clock, 1_200, () => small().length === 3);
    expect(small()).toEqual(['first', 'a', 'b']);
    rig.home.set.answer = () => undefined;
    await rig.restart(options);
    await rig.until(() => rig.count('t') === 6);
    await passing(clock, 100);
    expect(small()).toEqual(['first', 'a', 'b', 'c', 'd']);
  });

  it('is sent again where it failed, although the node keeps so few that those behind it may have driven it out', async () => {
    const clock = createTestClock();
    const options = { clock, limits: { settle: 60_000 } };
    await using rig = await createRig(options);
    keeps(rig, 10);
    await settledFirst(rig, clock);
    let fails = true;
    rig.home.set.answer = (iq, what) => (fails && what === 'publish' && iq.toString().includes('>failed<') ? 'internal-server-error' : undefined);
    // On their way at once.
    await rig.publish('t', 'failed', ...values(0, 12));
    await rig.until(() => rig.arrivals('t').includes('v11'));
    await quiet();
    fails = false;
    await rig.restart(options);
    await rig.publish('t', 'new');
    await rig.until(() => rig.arrivals('t').includes('new'));
    await passing(clock, 100);
    expect(rig.arrivals('t').filter((text) => text === 'failed')).toHaveLength(2);
    expect(rig.arrivals('t').filter((text) => text !== 'failed')).toEqual(['first', ...values(0, 12), 'new']);
  });

  it('is asked for with few questions where nothing of a long backlog has gone', async () => {
    const clock = createTestClock();
    const options = { clock, limits: { settle: 60_000 } };
    await using rig = await createRig(options);
    await settledFirst(rig, clock);
    rig.home.set.mechanisms = ['PLAIN'];
    rig.home.set.resumable = false;
    rig.home.cut();
    for (let n = 0; n < 5_000; n += 500) await rig.publish('t', ...values(n, n + 500));
    rig.home.set.mechanisms = ['SCRAM-SHA-256'];
    const before = rig.home.stanzas.length;
    // Power goes: some thousand more may have been handed out than were.
    await rig.restart(options, rig.database.fork());
    await rig.until(() => rig.arrivals('t').length > 1);
    expect(rig.home.stanzas.slice(before).filter((stanza) => stanza.getChild('pubsub')?.getChild('items')).length).toBeLessThan(12);
  });
});

describe('what was acknowledged before a session that could not be taken up again', () => {
  async function gone(rig: Rig, items: number, clock: Clock): Promise<void> {
    keeps(rig, items);
    await settledFirst(rig, clock);
    for (let n = 0; n < 600; n += 20) await rig.publish('t', ...values(n, n + 20));
    await rig.until(() => rig.arrivals('t').length === 601);
    await quiet();
    rig.home.set.resumable = false;
  }
  const again = async (rig: Rig, clock: Clock): Promise<void> => {
    const before = rig.home.stanzas.length;
    rig.home.cut();
    await rig.publish('t', 'new');
    await passing(clock, 100, () => rig.arrivals('t').includes('new'));
    await passing(clock, 100);
    expect(rig.home.stanzas.length - before).toBeLessThan(400);
    expect((await rig.status())?.queued).toBe(0);
  };

  it.each([256, 150, 40, 16, 1])('is not sent again where the node keeps %i items and has let go of the others', async (items) => {
    const clock = createTestClock();
    await using rig = await createRig({ clock, limits: { settle: 60_000 } });
    await gone(rig, items, clock);
    await again(rig, clock);
    expect(rig.arrivals('t')).toEqual(['first', ...values(0, 600), 'new']);
    expect(rig.troubles.filter(({ kind }) => kind === 'home.lost')).toEqual([]);
  });

  it.each([[256, 1], [256, 130], [256, 300], [40, 1], [40, 39], [40, 40], [40, 130], [40, 300]])('where the node keeps %i items, is sent again as far as the server has lost the newest %i', async (items, lost) => {
    const clock = createTestClock();
    await using rig = await createRig({ clock, limits: { settle: 60_000 } });
    await gone(rig, items, clock);
    // As it was on its disk: what the newest had driven out is there.
    const published = new Map(rig.home.stanzas.flatMap((stanza) => {
      const item = stanza.getChild('pubsub')?.getChild('publish')?.getChild('item');
      const record = item?.getChild('record');
      return item && record ? [[item.attrs['id'], record] as const] : [];
    }));
    const node = rig.home.nodes.get('t')!;
    node.clear();
    for (const [id, record] of [...published].slice(0, -lost).slice(-items)) node.set(id, record);
    await again(rig, clock);
    expect(rig.arrivals('t')).toEqual(['first', ...values(0, 600), ...values(600 - lost, 600), 'new']);
  });
});
