// Accounts that are refused, servers that are not who they should be, and kills at every point of the way.
import { describe, expect, it } from 'vitest';
import { Backoff } from '../../src/home/backoff.ts';
import { createRig } from './rig.ts';

const SECRET = 'a-Very-secret-Word';

describe('a wrong password', () => {
  it('is tried fewer than 30 times a day, also where the link is bad in between', () => {
    for (const bad of [false, true]) {
      const backoff = new Backoff(() => 0);
      let tries = 0;
      for (let at = 0; at < 24 * 3_600_000; tries++) {
        at += backoff.lost('auth', 0).delay;
        if (bad) at += backoff.lost('link', 0).delay;
      }
      expect(tries).toBeLessThan(30);
    }
  });

  it('is tried once, and never told', async () => {
    await using rig = await createRig();
    await rig.add({ password: SECRET });
    await rig.state('refused');
    expect(rig.home.logins).toBe(1);
    expect(JSON.stringify([await rig.status(), rig.troubles])).not.toContain(SECRET);
    await expect(rig.homes.add({ ...rig.home.account, password: SECRET, host: '' })).rejects.toSatisfy((error) => !String((error as Error).stack).includes(SECRET));
  });
});

describe('a server that is another', () => {
  it.each<[string, object]>([['a certificate for another name', { jid: 'box@elsewhere.test' }], ['a certificate that nobody vouches for', { ca: undefined }]])('%s: nothing is said to it', async (_what, wrong) => {
    await using rig = await createRig();
    await rig.add(wrong);
    await rig.state('refused');
    expect((await rig.status())?.reason).toMatch(/certificate/);
    expect([rig.home.logins, rig.home.stanzas.length]).toEqual([0, 0]);
  });
});

describe.each([['resumable', true], ['not resumable', false]])('a path that is cut at every point of the way, sessions %s', (_how, resumable) => {
  it('loses nothing and doubles nothing in the node', async () => {
    await using rig = await createRig();
    const { home } = rig;
    home.set.resumable = resumable;
    let lives = 0;
    let left = 1;
    home.set.wire = (element) => {
      if (element.getName() === 'starttls') left = ++lives;
      if (lives <= 14 && --left <= 0) home.cut();
    };
    await rig.add();
    for (let n = 0; n < 40; n++) await Promise.all([rig.publish('a', n), rig.item('b', `${n % 7}`, n)]);
    await rig.drained();
    expect(lives).toBeGreaterThan(14);
    expect([...home.nodes.get('a')?.values() ?? []].map((record) => Number(record.getChild('json')?.getText())).toSorted((x, y) => x - y)).toEqual(Array.from({ length: 40 }, (_, n) => n));
    expect(Array.from({ length: 7 }, (_, i) => rig.at('b', String(i)))).toEqual(['35', '36', '37', '38', '39', '33', '34']);
  });
});

it('a box that ends between acknowledged and settled neither loses nor repeats', async () => {
  await using rig = await createRig({ limits: { settle: 3_600_000 } });
  await rig.add();
  await rig.publish('t', 1, 2, 3);
  await rig.acknowledged('t', 3);
  await rig.restart({ limits: { settle: 100 } });
  await rig.drained();
  expect(rig.arrivals('t')).toEqual(['1', '2', '3']);
});

it('a home that is removed, added again and given other topics while items are in flight gets them all', async () => {
  await using rig = await createRig();
  const { home } = rig;
  await rig.add({ topics: ['a', 'b'] });
  await rig.state('online');
  home.set.answer = (_iq, what) => (what === 'publish' ? 'silence' : undefined);
  await rig.publish('a', 1, 2);
  await rig.publish('b', 1);
  await rig.until(() => home.stanzas.filter((stanza) => stanza.getChild('pubsub')?.getChild('publish')).length === 3);
  await rig.add({ topics: ['a'] });
  await rig.homes.remove(home.account.jid);
  expect([...rig.log.cursors()]).toEqual([]);
  home.set.answer = () => undefined;
  await rig.add({ topics: ['a', 'c'] });
  await rig.publish('c', 1);
  await rig.drained();
  expect([rig.count('a'), rig.count('b'), rig.count('c')]).toEqual([2, 0, 1]);
});

it('filters that are given in another order, while items and a held topic wait, change nothing', async () => {
  await using rig = await createRig();
  const { home } = rig;
  home.set.answer = (_iq, what, node) => (what === 'publish' && node === 'a/held' ? 'forbidden' : undefined);
  await rig.add({ topics: ['a/+', '#'] });
  await rig.publish('a/held', 1, 2);
  await rig.until(() => rig.held().includes('a/held'));
  home.set.answer = (_iq, what) => (what === 'publish' ? 'silence' : undefined);
  await rig.publish('a/b', 1, 2);
  await rig.publish('c', 1);
  await rig.until(() => home.stanzas.filter((stanza) => stanza.getChild('pubsub')?.getChild('publish')).length >= 4);
  home.set.answer = () => undefined;
  // With something else that is changed: the same once more would leave its session as it is.
  await rig.add({ topics: ['#', 'a/+'], budget: 1 << 24 });
  await rig.drained();
  expect([rig.count('a/held'), rig.count('a/b'), rig.count('c')]).toEqual([2, 2, 1]);
});

it('mail that XML cannot carry is refused, not sent to end the stream', async () => {
  await using rig = await createRig();
  await rig.add();
  await rig.state('online');
  const letter = { id: 'm', to: 'xmpp:friend@away.test', body: 'a\u0001b', recordId: 'r', chain: 'c', time: 0 };
  await expect(rig.homes.road.deliver({ kind: 'xmpp', jid: 'friend@away.test' }, letter)).rejects.toMatchObject({ code: 'invalid-value' });
});
