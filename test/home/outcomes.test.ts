// What becomes of an item at a home, for whoever published it: `Homes.cursorOf` and `Log.outcome`.
import { describe, expect, it } from 'vitest';
import { LanpostError } from '../../src/errors.ts';
import type { Loss } from '../../src/log/loss.ts';
import type { Outcome } from '../../src/log/outcomes.ts';
import { toPayload } from '../../src/payload/payload.ts';
import { undelivered } from '../../src/pubsub/following.ts';
import { StanzaError } from '../../src/xmpp/stanza-error.ts';
import { createRig, type Rig } from './rig.ts';

const JID = 'box@home.test';

async function followed(rig: Rig, topic: string, value: string, more: object = {}): Promise<number> {
  const reader = rig.homes.cursorOf(JID, topic);
  if (reader === undefined) throw new Error(`nothing of ${topic} goes there`);
  return (await rig.log.append({ topic, kind: 'publish', payload: toPayload(value), follow: { reader, as: JID }, ...more })).seq;
}

async function passes(rig: Rig, ms: number): Promise<void> {
  const from = Date.now();
  const ticking = setInterval(() => rig.ring(), 50);
  await rig.until(() => Date.now() > from + ms);
  clearInterval(ticking);
}

describe('what becomes of an item at a home', () => {
  it('delivered when it has settled there, and not when it is acknowledged', async () => {
    await using rig = await createRig({ limits: { settle: 3000 } });
    await rig.add();
    await rig.state('online');
    let told = false;
    const outcome = rig.log.outcome(await followed(rig, 'a', 'x'), JID).then((what) => { told = true; return what; });
    await rig.acknowledged('a', 1);
    expect(told).toBe(false);
    expect(await outcome).toBe('delivered');
    expect((await rig.status())?.queued).toBe(0);
  });

  it('waits through an outage', async () => {
    await using rig = await createRig();
    await rig.add();
    await rig.homes.pause(JID);
    const seqs = await Promise.all(['x', 'y', 'z'].map((value) => followed(rig, 'a', value)));
    const outcomes = seqs.map((seq) => rig.log.outcome(seq, JID));
    await rig.homes.resume(JID);
    expect(await Promise.all(outcomes)).toEqual(['delivered', 'delivered', 'delivered']);
    expect(rig.count('a')).toBe(3);
  });

  it('poison when the home would not take it; what comes after it is delivered', async () => {
    await using rig = await createRig();
    await rig.add();
    rig.home.set.answer = (iq, what) => (what === 'publish' && iq.toString().includes('>bad<') ? new StanzaError('not-acceptable', { type: 'modify' }) : undefined);
    const seqs = [await followed(rig, 'a', 'bad'), await followed(rig, 'a', 'good')];
    expect(await Promise.all(seqs.map((seq) => rig.log.outcome(seq, JID)))).toEqual(['poison', 'delivered']);
  });

  it('expired when it waited for longer than its rule allows', async () => {
    await using rig = await createRig();
    await rig.add({ topics: [], up: [{ filter: '#', expire: 1000 }] });
    await rig.homes.close();
    // While nothing reads.
    const outcome = rig.log.outcome(await followed(rig, 'a', 'x'), JID);
    await passes(rig, 1100);
    await rig.take();
    expect(await outcome).toBe('expired');
    expect(rig.count('a')).toBe(0);
  });

  it('and expired as well when it is published once more: the home has it no more than before', async () => {
    await using rig = await createRig();
    await rig.add({ topics: [], up: [{ filter: '#', expire: 1000 }] });
    await rig.homes.close();
    const reader = rig.homes.cursorOf(JID, 'a')!;
    const draft = { topic: 'a', kind: 'publish', id: 'i', payload: toPayload('x'), follow: { reader, as: JID } } as const;
    const { seq } = await rig.log.append(draft);
    await passes(rig, 1100);
    await rig.take();
    expect(await rig.log.outcome(seq, JID)).toBe('expired');
    expect(await rig.log.append(draft)).toMatchObject({ seq, repeated: true });
    expect(await rig.log.outcome(seq, JID)).toBe('expired');
    expect(rig.count('a')).toBe(0);
  });

  it('and is at home, when it was acknowledged before the box stopped and is too old when it starts', async () => {
    await using rig = await createRig({ limits: { settle: 60_000 } });
    const rule = { topics: [], up: [{ filter: '#', expire: 1000 }] };
    await rig.add(rule);
    await rig.publish('a', 'x', 'y', 'z');
    await rig.acknowledged('a', 3);
    await passes(rig, 1100);
    await rig.restart({ limits: { settle: 100 } });
    const losses: Loss[] = [];
    const note = rig.log.noteLoss.bind(rig.log);
    rig.log.noteLoss = (loss) => {
      losses.push(loss);
      return note(loss);
    };
    await rig.drained();
    expect([losses, rig.count('a'), rig.arrivals('a')]).toEqual([[], 3, ['x', 'y', 'z']]);
  });

  it.each([false, true])('expired when it waited for too long after it had been read, with the home away; pack: %s', async (pack) => {
    await using rig = await createRig();
    const losses: Loss[] = [];
    const note = rig.log.noteLoss.bind(rig.log);
    rig.log.noteLoss = (loss) => {
      losses.push(loss);
      return note(loss);
    };
    await rig.add({ topics: [], up: [{ filter: '#', expire: 1000, pack }] });
    await rig.publish('a', 'first');
    await rig.acknowledged('a', 1);
    await rig.homes.pause(JID);
    const old = await Promise.all(Array.from({ length: 20 }, (_, n) => followed(rig, 'a', `old ${n}`)));
    const outcomes = old.map((seq) => rig.log.outcome(seq, JID));
    await passes(rig, 1100);
    const young = rig.log.outcome(await followed(rig, 'a', 'young'), JID);
    await rig.homes.resume(JID);
    expect(await young).toBe('delivered');
    expect(new Set(await Promise.all(outcomes))).toEqual(new Set(['expired']));
    expect(rig.arrivals('a')).toEqual(['first', 'young']);
    expect(losses).toEqual([expect.objectContaining({ topic: 'a', from: old[0], to: old.at(-1), count: 20, reason: 'expired' })]);
  });

  it.each<[string, string, Outcome]>([
    ['withheld when it came down from another home: it goes up to none, and is not there', 'pubsub.other.test', 'withheld'],
    ['delivered when it came down from there', 'pubsub.home.test', 'delivered'],
    ['delivered when it came down from another of its group', 'pubsub.third.test', 'delivered'],
  ])('%s', async (_how, from, outcome) => {
    await using rig = await createRig();
    await rig.add({ group: 'g' });
    await rig.add({ jid: 'box@third.test', group: 'g', rank: 1, port: 1, service: 'pubsub.third.test' });
    const reader = rig.homes.cursorOf(JID, 'a')!;
    await rig.homes.close();
    const draft = { topic: 'a', kind: 'publish', id: 'i', payload: toPayload('x') } as const;
    const { seq } = await rig.log.append({ ...draft, extra: { home: from } });
    // The same, published here: it is there, and followed.
    expect(await rig.log.append({ ...draft, follow: { reader, as: JID } })).toMatchObject({ seq, repeated: true });
    const told = rig.log.outcome(seq, JID);
    await rig.take();
    expect(await told).toBe(outcome);
    expect(rig.count('a')).toBe(0);
    expect(undelivered(outcome, JID)?.code).toBe(outcome === 'delivered' ? undefined : 'dropped');
  });

  it('superseded where its topic keeps only the newest, and the home was away', async () => {
    await using rig = await createRig();
    await rig.log.append({ topic: 'a', kind: 'configure', config: { lane: 'latest' } });
    await rig.add();
    await rig.homes.pause(JID);
    await rig.homes.close();
    // While nothing reads.
    const seqs = [await followed(rig, 'a', 'x', { key: 'k' }), await followed(rig, 'a', 'y', { key: 'k' })];
    const outcomes = seqs.map((seq) => rig.log.outcome(seq, JID));
    const again = await rig.take();
    await again.resume(JID);
    expect(await Promise.all(outcomes)).toEqual(['superseded', 'delivered']);
    expect(rig.arrivals('a')).toEqual(['y']);
  });

  it('of a pack each record for itself', async () => {
    await using rig = await createRig();
    await rig.add({ topics: [], up: [{ filter: '#', pack: true }] });
    const seqs = await Promise.all(Array.from({ length: 50 }, (_, n) => followed(rig, 'a', String(n))));
    expect(new Set(await Promise.all(seqs.map((seq) => rig.log.outcome(seq, JID))))).toEqual(new Set(['delivered']));
  });

  it('is known also when the rules of the home change meanwhile, and dropped only what no rule takes up any more', async () => {
    await using rig = await createRig();
    await rig.add({ topics: ['#'] });
    await rig.homes.pause(JID);
    const seqs = [await followed(rig, 'a', 'x'), await followed(rig, 'b', 'y'), await followed(rig, 'c', 'z')];
    const outcomes = seqs.map((seq) => rig.log.outcome(seq, JID));
    await rig.add({ topics: [], up: [{ filter: 'a' }, { filter: 'b', priority: 1 }] });
    await rig.homes.resume(JID);
    expect(await Promise.all(outcomes)).toEqual(['delivered', 'delivered', 'dropped']);
  });

  it('is known also when the home joins a group, of which either is asked', async () => {
    await using rig = await createRig();
    await rig.add();
    await rig.homes.pause(JID);
    const first = rig.log.outcome(await followed(rig, 'a', 'x'), JID);
    await rig.add({ group: 'g', rank: 0 });
    const reader = rig.homes.cursorOf(JID, 'a') ?? '';
    const seqs = await Promise.all([JID, 'other@home.test'].map(async (as) => (await rig.log.append({ topic: 'a', kind: 'publish', id: 'i', payload: toPayload('y'), follow: { reader, as } })).seq));
    expect(seqs[0]).toBe(seqs[1]);
    const both = [JID, 'other@home.test'].map((as) => rig.log.outcome(seqs[0] ?? 0, as));
    await rig.homes.resume(JID);
    expect([await first, ...await Promise.all(both)]).toEqual(['delivered', 'delivered', 'delivered']);
  });

  it('dropped when the home is removed', async () => {
    await using rig = await createRig();
    await rig.add();
    await rig.homes.pause(JID);
    const outcome = rig.log.outcome(await followed(rig, 'a', 'x'), JID);
    await rig.homes.remove(JID);
    expect(await outcome).toBe('dropped');
    expect(() => rig.homes.cursorOf(JID, 'a')).toThrow(LanpostError);
  });

  it('a topic that no rule takes up has no reader there', async () => {
    await using rig = await createRig();
    await rig.add({ topics: ['b'] });
    expect(rig.homes.cursorOf(JID, 'a')).toBeUndefined();
    expect(rig.homes.cursorOf(JID, 'b')).toBe('home:box@home.test b');
  });
});
