import { describe, expect, it } from 'vitest';
import { LanpostError } from '../../src/errors.ts';
import { txtValue } from '../support/txt-data.ts';
import { TYPE } from '../../src/mdns/message.ts';
import { settled } from '../support/simulated-network.ts';
import { advance, world, type Box } from './world.ts';

const image = (size: number, fill = 1): { type: number; bytes: Uint8Array } => ({ type: TYPE.NULL, bytes: new Uint8Array(size).fill(fill) });

/** What became of a promise, without waiting for it. */
function outcome<T>(promise: Promise<T>): { value?: T; error?: unknown } {
  const seen: { value?: T; error?: unknown } = {};
  const note = async (): Promise<void> => {
    try {
      seen.value = await promise;
    } catch (error) {
      seen.error = error;
    }
  };
  void note();
  return seen;
}

async function two(): Promise<ReturnType<typeof world> & { a: Box; b: Box }> {
  const w = world();
  const a = await w.box('h1', { records: [image(8000)] });
  const b = await w.box('h2');
  await advance(w.clock, 5000);
  return { ...w, a, b };
}

describe('further records of an instance, and asking for one', () => {
  it('a record of 8,000 bytes is read by another box, its successor after an update, and nothing after it is taken away', async () => {
    const { clock, a, b } = await two();
    const ask = async (): Promise<ReturnType<typeof outcome<Uint8Array>>> => {
      const seen = outcome(b.browsing.ask('box@h1', TYPE.NULL));
      await advance(clock, 1500);
      return seen;
    };
    expect((await ask()).value).toEqual(image(8000).bytes);
    a.publication.update([['status', 'avail'], ['phsh', 'x']], [image(300, 2)]);
    await advance(clock, 1000);
    expect(txtValue(b.peers.get('box@h1'), 'phsh')).toBe('x');
    expect((await ask()).value).toEqual(image(300, 2).bytes);
    a.publication.update(undefined, []);
    await advance(clock, 1000);
    expect((await ask()).error).toMatchObject({ code: 'not-found' });
    expect(txtValue(b.peers.get('box@h1'), 'phsh')).toBe('x');
    expect(b.events.some(({ type }) => type === 'down')).toBe(false);
  });

  it('a large record does not make the probes large', async () => {
    const { lan } = await two();
    const sizes = lan.packets.map(({ bytes }) => bytes.length);
    // Three announcements over each family; everything else within the MTU.
    expect(sizes.filter((size) => size > 1452)).toHaveLength(6);
    expect(Math.max(...sizes)).toBeLessThan(8300);
  });

  it('what cannot be a record of its own is refused at the door', async () => {
    const { a } = await two();
    for (const records of [[image(8001)], [image(1), image(2)], [{ type: TYPE.TXT, bytes: new Uint8Array(1) }], [{ type: 0, bytes: new Uint8Array(1) }]]) {
      expect(() => a.publication.update(undefined, records)).toThrow(LanpostError);
    }
  });

  it('nobody answers: timeout, and no question after it', async () => {
    const { clock, lan, b } = await two();
    const asked = outcome(b.browsing.ask('nobody@h9', TYPE.NULL, { timeout: 3000 }));
    await advance(clock, 3500);
    expect(asked.error).toMatchObject({ code: 'timeout' });
    const questions = (): number => lan.packets.filter(({ bytes }) => Buffer.from(bytes).includes('nobody@h9')).length;
    const before = questions();
    expect(before).toBe(4); // two over each family
    await advance(clock, 60_000);
    expect(questions()).toBe(before);
  });

  it('an aborted question gives the reason; a closed engine says so', async () => {
    const { b } = await two();
    const stop = new AbortController();
    const aborted = outcome(b.browsing.ask('nobody@h9', TYPE.NULL, { signal: stop.signal }));
    const open = outcome(b.browsing.ask('nobody@h9', TYPE.NULL));
    stop.abort(new Error('enough'));
    await settled();
    expect(aborted.error).toMatchObject({ message: 'enough' });
    await b.mdns.close();
    await settled();
    expect(open.error).toMatchObject({ code: 'closed' });
    await expect(b.browsing.ask('box@h1', TYPE.NULL)).rejects.toMatchObject({ code: 'closed' });
  });

  it('a name that cannot be written is refused, not asked for', async () => {
    const { clock, a, b } = await two();
    for (const instance of ['x'.repeat(64), '']) {
      await expect(b.browsing.ask(instance, TYPE.NULL)).rejects.toMatchObject({ code: 'invalid-value' });
      expect(await b.browsing.resolve(instance)).toBeUndefined();
    }
    expect(() => b.mdns.browse(`_${'x'.repeat(64)}._tcp`, () => undefined)).toThrow(LanpostError);
    expect(() => b.mdns.publish({ user: 'u', type: '_x.._tcp', port: 1, txt: [] })).toThrow(LanpostError);
    await advance(clock, 2000);
    expect([a, b].map(({ peers }) => peers.size)).toEqual([1, 1]);
  });

  it('two that ask for the same get one question\'s answer; more than 64 at once are refused', async () => {
    const { clock, lan, b } = await two();
    const before = lan.packets.length;
    const both = [b.browsing.ask('box@h1', TYPE.NULL), b.browsing.ask('box@h1', TYPE.NULL)].map(outcome);
    await advance(clock, 1000);
    expect(both.map(({ value }) => value?.length)).toEqual([8000, 8000]);
    expect(lan.packets.slice(before).filter(({ from }) => b.host.has(from.address)).length).toBeLessThanOrEqual(2); // one per family
    const many = Array.from({ length: 65 }, (_, i) => outcome(b.browsing.ask(`nobody@h${i}`, TYPE.NULL)));
    await settled();
    expect(many.map(({ error }) => (error as LanpostError | undefined)?.code).filter(Boolean)).toEqual(['busy']);
    await b.mdns.close();
  });

  it('a link that comes up while something is asked for is asked too', async () => {
    const { clock, box, lan } = world();
    await box('h1', { records: [image(10)] });
    const b = await box('h2');
    b.host.down('eth0');
    await advance(clock, 5000);
    const asked = outcome(b.browsing.ask('box@h1', TYPE.NULL, { timeout: 20_000 }));
    await advance(clock, 1000);
    expect(asked).toEqual({});
    b.host.up('eth0', 'lan', [{ address: '10.77.0.9', family: 4, prefix: 16 }]);
    await advance(clock, 6000);
    expect(asked.value).toHaveLength(10);
    expect(lan.packets.length).toBeGreaterThan(0);
  });

  it('resolving asks afresh: a new port is known at once, a host that is gone is nowhere', async () => {
    const { clock, lan, a, b } = await two();
    const resolved = outcome(b.browsing.resolve('box@h1'));
    await advance(clock, 1100);
    expect(resolved.value).toMatchObject({ instance: 'box@h1', port: 5298 });
    lan.cut(a.host, true);
    const gone = outcome(b.browsing.resolve('box@h1', { timeout: 2000 }));
    await advance(clock, 2500);
    expect('value' in gone && gone.value === undefined).toBe(true);
  });
});
