import { describe, expect, it } from 'vitest';
import { StanzaError } from '../../src/xmpp/stanza-error.ts';
import { createRig, type Rig } from './rig.ts';
import { stored } from './stored.ts';

/** The reader of that filter, as `subscriptions.list` calls it. */
const readerOf = (filter: string): string => `home:box@home.test ${filter}`;

/** Only what it publishes counts: ids are made of letters too. */
async function refused(rig: Rig, topic: string, bad: string, ...also: (string | number)[]): Promise<void> {
  rig.home.set.answer = (iq, what) => (what === 'publish' && iq.toString().includes(`>${bad}<`) ? new StanzaError('not-acceptable', { type: 'modify' }) : undefined);
  await rig.publish(topic, bad, ...also);
  await rig.until(async () => (await rig.asides()).length === 1);
  rig.home.set.answer = () => undefined;
}

describe('what a home put aside', () => {
  it('goes up when it is tried once more, and is forgotten when it has settled', async () => {
    await using rig = await createRig();
    await rig.add();
    await refused(rig, 'a', 'bad', 'good');
    await rig.drained();
    expect(await rig.status()).toMatchObject({ queued: 0, poison: 1 });
    expect(await rig.log.retryAsides(readerOf('#'))).toBe(1);
    expect(await rig.log.retryAsides(readerOf('#'))).toBe(0);
    await rig.until(() => rig.count('a') === 2);
    await rig.until(async () => (await rig.asides()).length === 0);
    await rig.drained();
    expect((await rig.status())?.poison).toBeUndefined();
    expect(rig.arrivals('a').filter((text) => text === 'bad')).toHaveLength(2);
  });

  it('is put aside again when it is refused again', async () => {
    await using rig = await createRig();
    await rig.add();
    await refused(rig, 'a', 'bad');
    const [first] = await rig.asides();
    rig.home.set.answer = (_iq, what) => (what === 'publish' ? new StanzaError('bad-request', { type: 'modify' }) : undefined);
    await rig.log.retryAsides(readerOf('#'), [first?.record.seq ?? 0]);
    await rig.until(async () => (await rig.asides()).some(({ note }) => JSON.stringify(note).includes('bad-request')));
    expect(await rig.log.retryAsides(readerOf('#'))).toBe(1);
  });

  it('waits for the home while it is away, also through a restart', async () => {
    await using rig = await createRig();
    await rig.add();
    await refused(rig, 'a', 'bad', 1);
    await rig.drained();
    await rig.homes.pause('box@home.test');
    await rig.log.retryAsides(readerOf('#'));
    expect((await rig.status())?.queued).toBe(1);
    await rig.restart();
    await rig.homes.resume('box@home.test');
    await rig.until(() => rig.count('a') === 2);
    await rig.drained();
    expect(await rig.asides()).toEqual([]);
  });

  it('that was acknowledged and not settled when the session went is looked for, not sent again', async () => {
    await using rig = await createRig({ limits: { settle: 60_000 } });
    await rig.add();
    await refused(rig, 'a', 'bad');
    await rig.log.retryAsides(readerOf('#'));
    await rig.acknowledged('a', 1);
    await rig.restart({ limits: { settle: 50 } });
    await rig.drained();
    expect(rig.arrivals('a')).toEqual(['bad', 'bad']);
    expect(rig.count('a')).toBe(1);
  });

  it('that the home lost before it had settled is sent again', async () => {
    await using rig = await createRig({ limits: { settle: 60_000 } });
    await rig.add();
    await refused(rig, 'a', 'bad');
    await rig.log.retryAsides(readerOf('#'));
    await rig.acknowledged('a', 1);
    rig.home.nodes.get('a')?.clear();
    rig.home.set.resumable = false;
    rig.home.cut();
    await rig.until(() => rig.count('a') === 1);
    expect(await rig.asides()).toHaveLength(1);
  });

  it('does not go over a newer item of its id, and that is said', async () => {
    await using rig = await createRig();
    await rig.add();
    rig.home.set.answer = (iq, what) => (what === 'publish' && iq.toString().includes('>bad<') ? 'not-acceptable' : undefined);
    await rig.item('a', 'state', 'bad');
    await rig.until(async () => (await rig.asides()).length === 1);
    rig.home.set.answer = () => undefined;
    await rig.item('a', 'state', 'good');
    await rig.drained();
    await rig.log.retryAsides(readerOf('#'));
    await rig.until(async () => (await rig.asides()).length === 0);
    expect(rig.at('a', 'state')).toBe('good');
    expect(rig.troubles.map(({ message }) => message)).toContainEqual(expect.stringContaining('there is a newer state'));
  });

  it('does not bring back what has been retracted meanwhile', async () => {
    await using rig = await createRig();
    await rig.add();
    rig.home.set.answer = (iq, what) => (what === 'publish' && iq.toString().includes('>bad<') ? 'not-acceptable' : undefined);
    await rig.item('a', 'state', 'bad');
    await rig.until(async () => (await rig.asides()).length === 1);
    rig.home.set.answer = () => undefined;
    await rig.log.append({ topic: 'a', kind: 'retract', id: 'state' });
    await rig.drained();
    await rig.log.retryAsides(readerOf('#'));
    await rig.until(async () => (await rig.asides()).length === 0);
    expect(rig.at('a', 'state')).toBeUndefined();
  });

  it('waits with its topic where that is held, and others go on', async () => {
    await using rig = await createRig();
    await rig.add();
    await refused(rig, 'a', 'bad', 1);
    await rig.drained();
    rig.home.set.answer = (_iq, what, node) => (what === 'publish' && node === 'a' ? 'forbidden' : undefined);
    await rig.publish('a', 2);
    await rig.until(() => rig.held().includes('a'));
    await rig.log.retryAsides(readerOf('#'));
    await rig.publish('b', 1);
    await rig.until(() => rig.count('b') === 1);
    rig.home.set.answer = () => undefined;
    rig.home.set.resumable = false;
    rig.home.cut();
    await rig.until(() => rig.count('a') === 3);
    await rig.drained();
    expect(await rig.asides()).toEqual([]);
    await rig.until(() => rig.held().length === 0);
  });

  it('goes alone where others are packed', async () => {
    await using rig = await createRig();
    await rig.add({ topics: [], up: [{ filter: '#', pack: true }] });
    await refused(rig, 'a', 'bad');
    await rig.drained();
    rig.home.set.answer = (_iq, what) => (what === 'publish' ? 'silence' : undefined);
    await rig.publish('a', ...Array.from({ length: 50 }, (_, i) => i));
    await rig.log.retryAsides(readerOf('#'));
    await rig.until(() => rig.arrivals('a').length > 2);
    rig.home.set.answer = () => undefined;
    await rig.restart();
    await rig.drained();
    expect([...rig.home.nodes.get('a')?.values() ?? []].map((element) => element.getName())).toContain('record');
    expect(stored(rig.home, 'a')).toHaveLength(51);
    expect(await rig.asides()).toEqual([]);
  });
});
