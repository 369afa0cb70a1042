import { describe, expect, it } from 'vitest';
import { recordsOf } from '../../src/home/pack-element.ts';
import { toPayload } from '../../src/payload/payload.ts';
import { seeded } from '../support/seeded.ts';
import { xml, type Element } from '../../src/xmpp/element.ts';
import { StanzaError } from '../../src/xmpp/stanza-error.ts';
import { createRig, type Rig } from './rig.ts';

const numbers = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);

/** Of all items of a node, packed or not: what each record holds. */
function stored(rig: Rig, topic: string): number[] {
  return [...rig.home.nodes.get(topic)?.values() ?? []].flatMap((element) => recordsOf(xml('item', {}, element)))
    .map(({ payload }) => Number(Buffer.from(payload?.bytes ?? []).toString()));
}

/** Answers nothing that is published until it is told to. */
function hold(rig: Rig): { readonly asked: Element[]; go(): void } {
  const held = { asked: [] as Element[], go: () => { rig.home.set.answer = () => undefined; } };
  rig.home.set.answer = (iq, what) => {
    if (what !== 'publish') return undefined;
    held.asked.push(iq);
    return 'silence';
  };
  return held;
}

/** A power cut: what the process that goes still says, nobody hears. */
async function crash(rig: Rig): Promise<void> {
  const { sessions } = rig.home;
  rig.home.set.before = () => (rig.home.sessions === sessions ? 'drop' : undefined);
  await rig.restart(undefined, rig.database.fork());
}

describe('a topic whose rule says order: any', () => {
  it('sends what is live before its backlog, and all of it once', async () => {
    await using rig = await createRig();
    await rig.publish('a', ...numbers(0, 1000));
    let live = 0;
    rig.home.set.before = (stanza) => {
      const done = rig.count('a');
      // Published while the backlog goes; it is to come long before the end of that.
      if (stanza.getChild('pubsub')?.getChild('publish') && done >= 400 && live === 0) {
        live = done;
        void rig.publish('a', 5000);
      }
    };
    await rig.add({ topics: [], up: [{ filter: 'a', order: 'any' }] });
    await rig.drained();
    const order = rig.arrivals('a').map(Number);
    expect(order.indexOf(5000)).toBeGreaterThan(399);
    expect(order.indexOf(5000)).toBeLessThan(600);
    expect(order.filter((n) => n < 1000)).toEqual(numbers(0, 1000));
    expect(order).toHaveLength(1001);
    await rig.until(() => rig.log.registry.entries('stretch:').length === 0);
    await rig.until(() => rig.held().length === 0);
  });

  it('in order where the rule does not say so', async () => {
    await using rig = await createRig();
    await rig.publish('a', ...numbers(0, 600));
    let live = false;
    rig.home.set.before = () => {
      if (rig.count('a') >= 200 && !live) {
        live = true;
        void rig.publish('a', 5000);
      }
    };
    await rig.add({ topics: ['a'] });
    await rig.drained();
    expect(rig.arrivals('a').map(Number)).toEqual([...numbers(0, 600), 5000]);
  });

  it('lets no item with an id of its own, and no retraction, overtake what came before it', async () => {
    await using rig = await createRig();
    await rig.publish('a', ...numbers(0, 500));
    await rig.item('a', 'state', 1);
    await rig.publish('a', ...numbers(500, 900));
    let live = false;
    rig.home.set.before = () => {
      if (rig.count('a') >= 300 && !live) {
        live = true;
        void (async () => {
          await rig.publish('a', 5000);
          await rig.item('a', 'state', 2);
          await rig.publish('a', 5001);
          await rig.log.append({ topic: 'a', kind: 'retract', id: 'state' });
          await rig.publish('a', 5002);
        })();
      }
    };
    await rig.add({ topics: [], up: [{ filter: '#', order: 'any' }] });
    await rig.until(() => live);
    await rig.until(() => rig.arrivals('a').includes('5002'));
    await rig.drained();
    const order = rig.arrivals('a').map(Number);
    expect(order.indexOf(5000)).toBeLessThan(600);
    expect(order.slice(-3)).toEqual([2, 5001, 5002]);
    expect(rig.at('a', 'state')).toBeUndefined();
    expect(rig.count('a')).toBe(903);
  });

  it('in the lane latest, whatever the rule says: the newest of each item alone, and what is retracted meanwhile stays so', async () => {
    await using rig = await createRig();
    await rig.log.append({ topic: 'a', kind: 'configure', config: { lane: 'latest', maxItems: 5_000 } });
    for (let n = 0; n < 3000; n++) await rig.item('a', `k${n}`, n);
    let done = -1;
    rig.home.set.before = (stanza) => {
      if (!stanza.getChild('pubsub')?.getChild('publish') || rig.count('a') < 400 || done >= 0) return;
      done = rig.count('a');
      void (async () => {
        // Not sent yet and far back; being sent about now; sent; not there before; to be gone.
        for (const k of [2990, 420, 430, 440, 10, 5000]) await rig.item('a', `k${k}`, k + 10_000);
        await rig.log.append({ topic: 'a', kind: 'retract', id: 'k2980' });
        await rig.log.append({ topic: 'a', kind: 'retract', id: 'k20' });
      })();
    };
    await rig.add({ topics: ['a'] });
    await rig.until(() => done >= 0 && rig.arrivals('a').includes('15000'));
    expect(rig.count('a')).toBeLessThan(2_900);
    await rig.drained();
    const order = rig.arrivals('a').map(Number);
    expect(order.indexOf(12_990)).toBeLessThan(done + 500);
    expect(order).not.toContain(2990);
    for (const k of [2990, 420, 430, 440, 10, 5000]) {
      expect(rig.at('a', `k${k}`)).toBe(String(k + 10_000));
      expect(order.lastIndexOf(k)).toBeLessThan(order.indexOf(k + 10_000));
    }
    for (const gone of ['k2980', 'k20']) expect(rig.at('a', gone)).toBeUndefined();
    expect(rig.count('a')).toBe(2_999);
    for (const [n, held] of order.filter((one) => one < 3000).entries()) expect(order.filter((one) => one === held), `${n}`).toHaveLength(1);
    await rig.until(() => rig.log.registry.entries('stretch:').length === 0 && rig.held().length === 0);
  });

  it.each(['by a key of their payloads', 'without ids'])('in the lane latest no older item comes after the one that took its place, told apart %s', async (how) => {
    await using rig = await createRig({ limits: { settle: 100, ahead: 1024 } });
    const keyed = how !== 'without ids';
    await rig.log.append({ topic: 'a', kind: 'configure', config: { lane: 'latest', maxItems: 5_000, ...(keyed ? { key: '/k' } : {}) } });
    const put = async (k: number, value: number): Promise<void> => {
      await rig.log.append({ topic: 'a', kind: 'publish', payload: toPayload(value), ...(keyed ? { key: `k${k}` } : { id: `k${k}` }) });
    };
    for (let n = 0; n < 2500; n++) await put(n, n);
    let done = false;
    rig.home.set.before = (stanza) => {
      if (!stanza.getChild('pubsub')?.getChild('publish') || rig.count('a') < 150 || done) return;
      done = true;
      void Promise.all(Array.from({ length: 300 }, (_, i) => (keyed ? put(200 + i, 10_200 + i) : rig.publish('a', 10_200 + i))));
    };
    await rig.add({ topics: ['a'] });
    await rig.until(() => done && rig.arrivals('a').includes('10499'));
    await rig.drained();
    const order = rig.arrivals('a').map(Number);
    const pairs = Array.from({ length: 300 }, (_, i) => ({ old: order.lastIndexOf(200 + i), new: order.indexOf(10_200 + i) }));
    expect(keyed ? pairs.filter((pair) => pair.old > pair.new) : order.at(-1)).toEqual(keyed ? [] : 10_499);
  });

  it('in the lane latest no retraction of a backlog takes away what went before it, when the process is lost in between', async () => {
    await using rig = await createRig({ limits: { settle: 20 } });
    await rig.log.append({ topic: 'a', kind: 'configure', config: { lane: 'latest', maxItems: 5_000 } });
    for (let n = 0; n < 1000; n++) await rig.item('a', `k${n}`, n);
    for (const gone of numbers(900, 930)) await rig.log.append({ topic: 'a', kind: 'retract', id: `k${gone}` });
    for (let n = 1000; n < 3500; n++) await rig.item('a', `k${n}`, n);
    let live = false;
    rig.home.set.before = (stanza) => {
      if (!stanza.getChild('pubsub')?.getChild('publish') || rig.count('a') < 300 || live) return;
      live = true;
      void Promise.all(numbers(900, 930).map((n) => rig.item('a', `k${n}`, n + 10_000)));
    };
    rig.home.set.resumable = false;
    await rig.add({ topics: ['a'] });
    rig.home.set.answer = (_iq, what) => (what === 'publish' && rig.at('a', 'k929') === '10929' ? 'silence' : undefined);
    // On disk it is known that they are safe; of the backlog much is not.
    await rig.until(() => [...rig.log.cursors()].some((cursor) => cursor.progress().held.some(({ done }) => done.some(([, to]) => to === rig.log.head))));
    expect(rig.count('a')).toBeLessThan(960);
    rig.home.set.answer = () => undefined;
    await crash(rig);
    await rig.drained();
    expect(numbers(900, 930).map((n) => rig.at('a', `k${n}`))).toEqual(numbers(900, 930).map((n) => String(n + 10_000)));
    expect(rig.count('a')).toBe(3500);
  });

  it.each([1, 2])('in the lane latest the newest of each item stands at home in the end, over sessions and processes that are lost (seed %i)', async (seed) => {
    const random = seeded(seed);
    await using rig = await createRig();
    await rig.log.append({ topic: 'a', kind: 'configure', config: { lane: 'latest', maxItems: 5_000 } });
    const wanted = new Map<string, string>();
    let n = 0;
    const change = async (): Promise<void> => {
      const id = `k${Math.floor(random() * 700)}`;
      if (random() < 0.1 && wanted.has(id)) {
        wanted.delete(id);
        await rig.log.append({ topic: 'a', kind: 'retract', id });
      } else {
        wanted.set(id, String(++n));
        await rig.item('a', id, n);
      }
    };
    for (let i = 0; i < 1200; i++) await change();
    rig.home.set.resumable = false;
    rig.home.set.answer = (_iq, what) => (what === 'publish' && random() < 0.02 ? new StanzaError('resource-constraint', { type: 'wait' }) : undefined);
    await rig.add({ topics: ['a'] });
    for (let round = 0; round < 6; round++) {
      const seen = rig.arrivals('a').length;
      await rig.until(async () => rig.arrivals('a').length > seen + 30 || (await rig.status())?.queued === 0);
      for (let i = 0; i < 40; i++) await change();
      if (random() < 0.4) await crash(rig);
      else if (random() < 0.6) rig.home.cut();
    }
    await rig.drained();
    expect(new Map([...rig.home.nodes.get('a')?.keys() ?? []].map((id) => [id, rig.at('a', id)]))).toEqual(wanted);
  });

  it('packs no record together with what went before it', async () => {
    await using rig = await createRig();
    await rig.publish('a', ...numbers(0, 3000));
    let n = 3000;
    let told = 0;
    rig.home.set.before = (stanza) => {
      if (!stanza.getChild('pubsub')?.getChild('publish') || ++told % 2 > 0 || n >= 3200) return;
      void rig.publish('a', n++);
    };
    await rig.add({ topics: [], up: [{ filter: 'a', order: 'any', pack: { records: 40, bytes: 20_000 } }] });
    await rig.drained();
    expect(n).toBeGreaterThan(3010);
    expect(stored(rig, 'a').toSorted((a, b) => a - b)).toEqual(numbers(0, n));
  });

  it('after a session was lost, looks at what went before the backlog and at the backlog', async () => {
    await using rig = await createRig({ limits: { settle: 600_000 } });
    await rig.publish('a', ...numbers(0, 1000));
    let live = 0;
    rig.home.set.before = (stanza) => {
      if (stanza.getChild('pubsub')?.getChild('publish') && rig.count('a') > 400 && live < 150) void rig.publish('a', 5000 + live++);
    };
    await rig.add({ topics: [], up: [{ filter: 'a', order: 'any' }] });
    await rig.acknowledged('a', 1150);
    rig.home.set.before = () => undefined;
    // The newest of the backlog are lost; what went before them, and is newer, is all there.
    const lost = [...rig.home.nodes.get('a') ?? []].filter(([, record]) => Number(record.getChildText('json')) >= 900 && Number(record.getChildText('json')) < 1000);
    expect(lost).toHaveLength(100);
    for (const [id] of lost) rig.home.nodes.get('a')?.delete(id);
    rig.home.set.resumable = false;
    rig.home.cut();
    await rig.until(() => rig.count('a') === 1150);
    expect(rig.troubles.map(({ kind }) => kind)).toContain('home.lost');
  });

  it.each([1, 2, 3, 4])('killed at any moment, switched on and off with a backlog waiting, everything goes up once (seed %i)', async (seed) => {
    const random = seeded(seed);
    await using rig = await createRig({ limits: { settle: 20 } });
    const rule = (): object => ({ topics: [], up: [{ filter: '#', order: random() < 0.6 ? 'any' : 'kept', pack: random() < 0.5 && { records: 30, bytes: 20_000 } }] });
    let n = 0;
    const publish = (count: number): Promise<void> => rig.publish('a', ...numbers(n, n += count));
    await publish(800);
    for (let round = 0; round < 6; round++) {
      await rig.add(rule());
      const goal = rig.home.stanzas.length + Math.floor(random() * 120);
      const held = random() < 0.3 ? hold(rig) : undefined;
      await publish(1 + Math.floor(random() * 40));
      await rig.until(() => held ? held.asked.length > 0 : rig.home.stanzas.length >= goal || stored(rig, 'a').length === n);
      await publish(Math.floor(random() * 400));
      held?.go();
      if (random() < 0.7) await crash(rig);
    }
    await rig.add(rule());
    await rig.drained();
    expect(stored(rig, 'a').toSorted((a, b) => a - b)).toEqual(numbers(0, n));
    expect(await rig.asides()).toEqual([]);
    await rig.until(() => rig.log.registry.entries('stretch:').length === 0 && rig.log.registry.entries('pack:').length === 0);
  });
});
