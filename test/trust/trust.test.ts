import { describe, expect, test } from 'vitest';
import { fingerprintOf } from '../../src/trust/fingerprint.ts';
import type { Trust } from '../../src/trust/trust.ts';
import { quiet } from '../support/quiet.ts';
import { memoryRegistry, spki, trustFixture } from './fixtures.ts';

const fp = (name: string): string => fingerprintOf(spki(name));

describe('trust', () => {
  test('a seen key may nothing', () => {
    const { trust } = trustFixture();
    expect(trust.seen(spki('b'), 'b@h2')).toMatchObject({ name: 'b@h2', level: 'seen', fingerprint: fp('b'), grants: [] });
    expect(trust.may(fp('b'), 'read', 'a')).toBe(false);
    expect(trust.may(undefined, 'read', 'a')).toBe(false);
  });

  test('a grant holds for its right and its filter', async () => {
    const { trust } = trustFixture();
    trust.seen(spki('b'), 'b@h2');
    await trust.allow(fp('b'), 'read', 'plant/#');
    expect(trust.may(fp('b'), 'read', 'plant/+/temp')).toBe(true);
    expect(trust.may(fp('b'), 'write', 'plant/a')).toBe(false);
    expect(trust.may(fp('b'), 'read', '#')).toBe(false);
    expect(trust.may(fp('c'), 'read', 'plant/a')).toBe(false);
    await trust.revoke(fp('b'));
    expect(trust.may(fp('b'), 'read', 'plant/a')).toBe(false);
    expect(trust.level(fp('b'))).toBe('seen');
  });

  test.each(['', 'a//b', '#/a', 'a+', '/a'])('%j is no filter, and vouches for nobody', async (filter) => {
    const { trust } = trustFixture();
    trust.seen(spki('b'), 'b@h2');
    await expect(trust.allow(fp('b'), 'read', filter)).rejects.toMatchObject({ code: 'invalid-topic' });
    await expect(trust.allow(fp('b'), 'reed' as 'read', 'a')).rejects.toThrow(TypeError);
    expect(trust.list()).toMatchObject([{ level: 'seen', grants: [] }]);
  });

  test('a key that was forgotten for others, as its stream may be open yet, is none without a key', async () => {
    const { trust } = trustFixture({ seenKeys: 2 });
    await trust.allow('class:seen', 'read', 'a');
    await trust.allow('class:plain', 'write', 'a');
    trust.seen(spki('b'), 'b@h2');
    for (const other of ['c', 'd', 'e']) trust.seen(spki(other), `${other}@h3`);
    expect(trust.list().map(({ fingerprint }) => fingerprint)).not.toContain(fp('b'));
    expect(trust.level(fp('b'))).toBe('seen');
    expect(trust.may(fp('b'), 'read', 'a')).toBe(true);
    expect(trust.may(fp('b'), 'write', 'a')).toBe(false);
  });

  describe('what a peer may', () => {
    test('some of a filter is granted by a part of it, unless that is denied as a whole', async () => {
      const { trust } = trustFixture();
      trust.seen(spki('b'), 'b@h2');
      const some = (): boolean => trust.touches(fp('b'), 'read', 'plant/#');
      expect(some()).toBe(false);
      await trust.allow('class:seen', 'read', 'plant/a/#');
      expect(some()).toBe(true);
      await trust.deny(fp('b'), 'read', 'plant/a/x');
      expect(some()).toBe(true);
      await trust.deny(fp('b'), 'read', 'plant/a/#');
      expect(some()).toBe(false);
      await trust.revoke(fp('b'));
      await trust.deny('class:seen', 'read', '#');
      expect(some()).toBe(false);
      await trust.allow(fp('b'), 'read', 'plant/b'); // said of itself
      expect(some()).toBe(true);
    });

    const all = ['chat', 'read', 'write', 'files'] as const;
    const may = (trust: Trust, who: string | undefined): string[] => all.filter(right => trust.may(who, right, right === 'read' || right === 'write' ? 'a/b' : undefined));
    const setup = async (): Promise<Trust> => {
      const { trust } = trustFixture();
      trust.seen(spki('s'), 's@h2');
      trust.seen(spki('p'), 'p@h3');
      await trust.pair(fp('p'));
      return trust;
    };

    test('is chat and nothing else by default, whatever its key', async () => {
      const trust = await setup();
      for (const who of [undefined, fp('s'), fp('p'), fp('unknown')]) expect(may(trust, who)).toEqual(['chat']);
      expect(trust.classes()).toEqual(['plain', 'seen', 'paired'].map(name => ({ name: `class:${name}`, grants: [], denials: [] })));
    });

    test.each([['class:plain', [undefined]], ['class:seen', [fp('s'), fp('unknown2')]], ['class:paired', [fp('p')]]] as const)('is what %s is allowed, and no other class', async (name, members) => {
      const trust = await setup();
      trust.seen(spki('unknown2'), 'u@h4');
      await trust.allow(name, 'read', 'a/#');
      await trust.allow(name, 'files');
      await trust.deny(name, 'chat');
      for (const who of [undefined, fp('s'), fp('unknown2'), fp('p')]) {
        expect(may(trust, who)).toEqual(members.some(member => member === who) ? ['read', 'files'] : ['chat']);
      }
      await trust.revoke(name);
      for (const who of members) expect(may(trust, who)).toEqual(['chat']);
    });

    test('is what is said of its key before what is said of its class', async () => {
      const trust = await setup();
      await trust.allow('class:paired', 'read', '#');
      await trust.deny(fp('p'), 'read', 'a/b');
      expect([trust.may(fp('p'), 'read', 'a/b'), trust.may(fp('p'), 'read', 'a/c'), trust.may(fp('p'), 'read', '#')]).toEqual([false, true, false]);
      await trust.deny('class:paired', 'chat');
      await trust.allow(fp('p'), 'chat');
      expect(trust.may(fp('p'), 'chat')).toBe(true);
      // The last word counts.
      await trust.deny(fp('p'), 'chat');
      expect(trust.may(fp('p'), 'chat')).toBe(false);
    });

    test('is not what an open topic lets everybody, when it is denied', async () => {
      const trust = await setup();
      expect(trust.may(fp('s'), 'read', 'open', true)).toBe(true);
      await trust.deny(fp('s'), 'read', '#');
      expect(trust.may(fp('s'), 'read', 'open', true)).toBe(false);
    });

    test('survives a restart; a denied key is not forgotten for others, and is not vouched for', async () => {
      const registry = memoryRegistry();
      const first = trustFixture({ registry, seenKeys: 2 });
      first.trust.seen(spki('m'), 'm@h2');
      await first.trust.deny(fp('m'), 'chat');
      await first.trust.deny('class:plain', 'chat');
      for (let i = 0; i < 5; i += 1) first.trust.seen(spki(`x${i}`), `x${i}@h9`);
      await first.trust.close();
      const { trust } = trustFixture({ registry });
      expect([trust.may(fp('m'), 'chat'), trust.may(undefined, 'chat'), trust.level(fp('m'))]).toEqual([false, false, 'seen']);
      await trust.revoke(fp('m'));
      expect(trust.may(fp('m'), 'chat')).toBe(true);
    });

    test('is written by older boxes without denials', () => {
      const registry = memoryRegistry();
      registry.rows.set(`trust/${fp('b')}`, { names: ['b@h2'], label: 'b@h2', level: 'paired', grants: [{ right: 'read', filter: 'a/#' }], lastSeen: 1 });
      expect(may(trustFixture({ registry }).trust, fp('b'))).toEqual(['chat', 'read']);
    });
  });

  test('the same grant twice is one', async () => {
    const { trust } = trustFixture();
    await trust.allow(fp('b'), 'read', 'a');
    expect((await trust.allow(fp('b'), 'read', 'a')).grants).toEqual([{ right: 'read', filter: 'a' }]);
  });

  test('grants, pairing and names survive a restart', async () => {
    const { trust, registry } = trustFixture();
    trust.seen(spki('b'), 'b@h2');
    await trust.allow(fp('b'), 'read', 'plant/#');
    await trust.close();
    const again = trustFixture({ registry }).trust;
    expect(again.may(fp('b'), 'read', 'plant/a')).toBe(true);
    expect(again.holder('b@h2')).toBe(fp('b'));
    expect(again.list()).toEqual(trust.list());
  });

  test('rights follow the key through a rename', async () => {
    const { trust } = trustFixture();
    trust.seen(spki('b'), 'b@h2');
    await trust.allow(fp('b'), 'write', 'a');
    expect(trust.seen(spki('b'), 'b-1@h2').name).toBe('b-1@h2');
    expect(trust.may(fp('b'), 'write', 'a')).toBe(true);
    expect(trust.holder('b@h2')).toBe(fp('b'));
  });

  test('a name of a paired key cannot be taken by another', async () => {
    const { trust } = trustFixture();
    trust.seen(spki('b'), 'b@h2');
    await trust.allow(fp('b'), 'read', 'a');
    expect(trust.impostor('b@h2', fp('m'))).toBe('impostor');
    trust.seen(spki('m'), 'b@h2');
    expect(trust.holder('b@h2')).toBe(fp('b'));
    expect(trust.impostor('b@h2', fp('b'))).toBe('ok');
    await trust.revoke(fp('b'));
    expect(trust.impostor('b@h2', fp('m'))).toBe('ok');
  });

  describe('a key whose name was taken away with its rights', () => {
    const revoked = async (): Promise<ReturnType<typeof trustFixture>> => {
      const fixture = trustFixture();
      fixture.trust.seen(spki('b'), 'b@h2');
      await fixture.trust.allow(fp('b'), 'read', 'a');
      await fixture.trust.revoke(fp('b'));
      expect([fixture.trust.find('b@h2'), fixture.trust.insists('b@h2', [])]).toEqual([undefined, false]);
      return fixture;
    };
    const standing = (trust: Trust): unknown =>
      [trust.find('b@h2')?.fingerprint, trust.level(trust.holder('b@h2')), trust.impostor('b@h2', fp('m')), trust.insists('b@h2', []), trust.passedOn('b@h2')];
    const HOLDS = [fp('b'), 'paired', 'impostor', true, false];

    test.each([
      ['allowed something', (trust: Trust) => trust.allow(fp('b'), 'read', 'a')],
      ['paired', (trust: Trust) => trust.pair(fp('b'))],
    ] as const)('has it again when it is %s, without a new stream, also after a restart', async (_, vouch) => {
      const { trust, registry } = await revoked();
      await vouch(trust);
      expect(standing(trust)).toEqual(HOLDS);
      // Durable by now, not a second later.
      expect(standing(trustFixture({ registry }).trust)).toEqual(HOLDS);
      await trust.revoke(fp('b'));
      await vouch(trust);
      expect(standing(trust)).toEqual(HOLDS);
    });

    test('has it again when it is denied something, unless somebody else has it now; that vouches for nobody', async () => {
      const { trust, registry } = await revoked();
      await trust.deny(fp('b'), 'chat');
      for (const one of [trust, trustFixture({ registry }).trust]) {
        expect(one.find('b@h2')).toMatchObject({ fingerprint: fp('b'), level: 'seen' });
        expect(one.impostor('b@h2', fp('m'))).toBe('renamed');
      }
      await trust.revoke(fp('b'));
      trust.seen(spki('m'), 'b@h2');
      await trust.deny(fp('b'), 'chat');
      expect(trust.holder('b@h2')).toBe(fp('m'));
    });

    test('takes it from a key that is only seen, which does not have it after a restart either', async () => {
      const { trust, registry } = await revoked();
      trust.seen(spki('m'), 'b@h2');
      await trust.pair(fp('b'));
      expect(standing(trust)).toEqual(HOLDS);
      const { trust: again } = trustFixture({ registry });
      expect(standing(again)).toEqual(HOLDS);
      await again.revoke(fp('m'));
      expect(standing(again)).toEqual(HOLDS);
    });

    test('does not take it from one that is paired, and is not vouched for then', async () => {
      const { trust } = await revoked();
      trust.seen(spki('m'), 'b@h2');
      await trust.pair(fp('m'));
      for (const vouch of [trust.pair(fp('b')), trust.allow(fp('b'), 'write', 'b')]) await expect(vouch).rejects.toMatchObject({ code: 'conflict' });
      expect(trust.list().find(({ fingerprint }) => fingerprint === fp('b'))).toMatchObject({ level: 'seen', grants: [] });
      await trust.revoke(fp('m'));
      await trust.pair(fp('b'));
      expect(standing(trust)).toEqual(HOLDS);
    });
  });

  test('a name that two stored rows have is the paired key\'s', () => {
    const registry = memoryRegistry();
    const row = (level: string, lastSeen: number): object => ({ names: ['b@h2'], label: 'b@h2', level, grants: [], denials: [], lastSeen });
    registry.rows.set(`trust/${fp('b')}`, row('paired', 1)).set(`trust/${fp('m')}`, row('seen', 2));
    const { trust } = trustFixture({ registry });
    expect(trust.holder('b@h2')).toBe(fp('b'));
    trust.seen(spki('m'), 'm@h3');
    expect(trust.impostor('b@h2', fp('m'))).toBe('impostor');
  });

  test('a name of a key that was only seen passes on', () => {
    const { trust } = trustFixture();
    trust.seen(spki('b'), 'b@h2');
    expect(trust.impostor('b@h2', fp('m'))).toBe('renamed');
    trust.seen(spki('m'), 'b@h2');
    expect(trust.holder('b@h2')).toBe(fp('m'));
    expect(trust.impostor('b@h2', fp('m'))).toBe('ok');
  });

  test('a key that was only seen keeps its name from the clear where it was shown; after a day, everywhere; after a month, no more', () => {
    const { trust, clock } = trustFixture();
    const day = 24 * 3_600_000;
    const b = (): unknown => trust.seen(spki('b'), 'b@h2', { address: '10.0.0.2' });
    b();
    expect(trust.insists('b@h2', ['10.0.0.2', '10.0.0.9'])).toBe(true);
    expect(trust.insists('b@h2', ['10.0.0.3'])).toBe(false);
    clock.advance(day);
    b();
    expect(trust.insists('b@h2', ['10.0.0.3'])).toBe(true);
    clock.advance(31 * day);
    expect(trust.insists('b@h2', ['10.0.0.2'])).toBe(false);
    b();
    expect(trust.insists('b@h2', ['10.0.0.3'])).toBe(false);
  });

  test('a key that was only seen has its name everywhere after a whole day, keeps it for a whole month, and begins anew where it is called otherwise or the name has passed on', () => {
    const { trust, clock } = trustFixture();
    const day = 24 * 3_600_000;
    const b = (name = 'b@h2'): unknown => trust.seen(spki('b'), name, { address: '10.0.0.2' });
    const anywhere = (name = 'b@h2'): boolean => trust.insists(name, ['10.0.0.3']);
    b();
    clock.advance(day - 1);
    b();
    expect(anywhere()).toBe(false);
    clock.advance(1);
    b();
    expect(anywhere()).toBe(true);
    clock.advance(30 * day);
    expect(anywhere()).toBe(true);
    clock.advance(1);
    expect(anywhere()).toBe(false);
    expect(trust.insists('b@h2', ['10.0.0.2'])).toBe(false);
    for (const interrupted of [
      () => b('b-1@h2'),
      () => trust.passedOn('b@h2'),
      () => trust.seen(spki('m'), 'b@h2', { address: '10.0.0.9' }),
    ]) {
      b();
      clock.advance(day);
      b();
      expect(anywhere()).toBe(true);
      interrupted();
      expect(anywhere()).toBe(false);
      b();
      expect([anywhere(), trust.insists('b@h2', ['10.0.0.2'])]).toEqual([false, true]);
    }
  });

  test('a key under a name that does not say that it is a box keeps it from nobody', () => {
    const { trust } = trustFixture();
    trust.seen(spki('m'), 'alice@h2');
    expect(trust.insists('alice@h2', ['10.0.0.2'])).toBe(false);
    expect(trust.passedOn('alice@h2')).toBe(true);
    expect(trust.holder('alice@h2')).toBeUndefined();
    expect(trust.passedOn('alice@h2')).toBe(false);
  });

  test('the name of a paired key is kept from the clear for ever, and passes to nobody', async () => {
    const { trust, clock } = trustFixture();
    trust.seen(spki('b'), 'b@h2');
    await trust.pair(fp('b'));
    clock.advance(400 * 24 * 3_600_000);
    expect(trust.insists('b@h2', [])).toBe(true);
    expect(trust.passedOn('b@h2')).toBe(false);
    expect(trust.holder('b@h2')).toBe(fp('b'));
  });

  test('keys that were shown for a day outlive any number that were shown once', () => {
    const { trust, clock } = trustFixture({ seenKeys: 3 });
    trust.seen(spki('b'), 'b@h2', { address: '10.0.0.2' });
    clock.advance(24 * 3_600_000);
    trust.seen(spki('b'), 'b@h2', { address: '10.0.0.2' });
    for (let i = 0; i < 10; i += 1) trust.seen(spki(`s${i}`), `s${i}@x`, { address: '10.0.0.3' });
    expect(trust.insists('b@h2', ['10.0.0.3'])).toBe(true);
  });

  test('keys that are spoken with outlive any number that were shown once, and no longer than they are', () => {
    const { trust } = trustFixture({ seenKeys: 3 });
    const speaking = new Set([fp('b')]);
    trust.use(() => speaking);
    trust.seen(spki('b'), 'b@h2');
    for (let i = 0; i < 10; i += 1) trust.seen(spki(`s${i}`), `s${i}@x`);
    expect(trust.list().map(({ name }) => name)).toEqual(['s9@x', 's8@x', 'b@h2']);
    expect(trust.holder('b@h2')).toBe(fp('b'));
    speaking.clear();
    trust.seen(spki('s10'), 's10@x');
    expect(trust.list().map(({ name }) => name)).toEqual(['s10@x', 's9@x', 's8@x']);
  });

  test('where a key was shown last is remembered with the port it said, over a restart', async () => {
    const registry = memoryRegistry();
    const { trust } = trustFixture({ registry });
    trust.seen(spki('b'), 'b@h2', { address: '10.0.0.2', port: 5298 });
    trust.seen(spki('c'), 'c@h3', { address: '10.0.0.3' });
    await trust.close();
    const again = trustFixture({ registry }).trust;
    expect(again.placeOf(fp('b'))).toMatchObject({ address: '10.0.0.2', port: 5298 });
    expect(again.placeOf(fp('c'))).toMatchObject({ address: '10.0.0.3' });
    expect(again.placeOf(fp('c'))).not.toHaveProperty('port');
  });

  test('seen keys are bounded, paired ones are never evicted', async () => {
    const { trust } = trustFixture({ seenKeys: 3 });
    trust.seen(spki('b'), 'b@h2');
    await trust.allow(fp('b'), 'read', 'a');
    for (let i = 0; i < 10; i += 1) trust.seen(spki(`s${i}`), `s${i}@x`);
    expect(trust.list().map(entry => entry.name)).toEqual(['s9@x', 's8@x', 's7@x', 'b@h2']);
    expect(trust.holder('s0@x')).toBeUndefined();
    expect(trust.level(fp('b'))).toBe('paired');
  });

  test('one key cannot hold names without end', () => {
    const { trust } = trustFixture();
    for (let i = 0; i < 100; i += 1) trust.seen(spki('b'), `b-${i}@h2`);
    expect(trust.holder('b-99@h2')).toBe(fp('b'));
    expect(trust.holder('b-0@h2')).toBeUndefined();
  });

  test('a flood of keys is written as one batch, and only what is still known of it', async () => {
    const registry = memoryRegistry();
    let open = 0;
    let most = 0;
    const set = registry.set.bind(registry);
    const { trust, clock } = trustFixture({
      seenKeys: 16,
      registry: Object.assign(registry, {
        set: async (key: string, value: unknown): Promise<void> => {
          most = Math.max(most, ++open);
          await set(key, value);
          open -= 1;
        },
      }),
    });
    for (let i = 0; i < 2_000; i += 1) trust.seen(spki(String(i)), `n${i}`);
    clock.advance(1_000);
    await trust.close();
    expect(registry.rows.size).toBe(16);
    expect(registry.writes).toBe(16);
    // At once, so that the log makes them durable together.
    expect(most).toBe(16);
  });

  test('strangers cost one write a second, not one each', async () => {
    const registry = memoryRegistry();
    const { trust, clock } = trustFixture({ registry });
    for (let i = 0; i < 5; i += 1) trust.seen(spki('b'), 'b@h2');
    expect(registry.writes).toBe(0);
    clock.advance(1_000);
    await trust.close();
    expect(registry.writes).toBe(1);
  });

  test('is found by name, typed name and fingerprint prefix', () => {
    const { trust } = trustFixture();
    trust.seen(spki('b'), 'b@h2');
    for (const peer of ['b@h2', 'link:b@h2', fp('b'), fp('b').slice(0, 16).toUpperCase()]) {
      expect(trust.find(peer)?.fingerprint).toBe(fp('b'));
    }
    expect(trust.find(fp('b').slice(0, 15))).toBeUndefined();
    expect(trust.find('link:nobody')).toBeUndefined();
  });

  test('is a namesake of whoever calls itself the same, also after a restart, unless it was revoked and not shown since', async () => {
    const registry = memoryRegistry();
    const { trust } = trustFixture({ registry });
    for (const name of ['b', 'c', 'd']) trust.seen(spki(name), 'b@h2');
    trust.seen(spki('d'), 'd@h4');
    expect(trust.namesakes('b@h2')).toEqual([fp('c'), fp('b')]);
    await trust.revoke(fp('b'));
    await trust.close();
    const again = trustFixture({ registry }).trust;
    for (const one of [trust, again]) expect(one.namesakes('b@h2')).toEqual([fp('c')]);
    again.seen(spki('b'), 'b@h2');
    expect(again.namesakes('b@h2')).toEqual([fp('b'), fp('c')]);
  });

  test('takes no name for the key whose fingerprint it imitates', () => {
    const { trust } = trustFixture();
    trust.seen(spki('b'), 'b@h2');
    trust.seen(spki('m'), fp('b').slice(0, 16));
    expect(trust.find(fp('b').slice(0, 16))?.fingerprint).toBe(fp('b'));
    expect(trust.find(`link:${fp('b').slice(0, 16)}`)?.fingerprint).toBe(fp('m'));
  });

  test('damaged rows are passed over', () => {
    const registry = memoryRegistry();
    registry.rows.set('trust/x', 7);
    expect(trustFixture({ registry }).trust.list()).toEqual([]);
  });

  test('of damaged lists what is whole is kept', () => {
    const registry = memoryRegistry();
    registry.rows.set(`trust/${fp('b')}`, { names: ['b@h2', 7], label: 'b@h2', level: 'paired', grants: [null, { right: 'read', filter: 'a' }, { right: 'all' }], denials: [5], lastSeen: 1, tenure: 'long' });
    registry.rows.set('policy/class:seen', { grants: [null, { right: 'files' }], denials: [{ right: 'chat' }] });
    registry.rows.set('account-rules/xmpp:a@b', { grants: [[]], denials: [] });
    const { trust } = trustFixture({ registry });
    expect(trust.list()).toMatchObject([{ name: 'b@h2', level: 'paired', grants: [{ right: 'read', filter: 'a' }], denials: [] }]);
    expect([trust.may(fp('c'), 'files'), trust.may(fp('c'), 'chat'), trust.may(fp('b'), 'read', 'a')]).toEqual([true, false, true]);
  });

  test('a registry that fails is told, and tried again', async () => {
    const { trust, registry, clock, troubles } = trustFixture();
    const set = registry.set.bind(registry);
    registry.set = () => Promise.reject(new Error('disk full'));
    trust.seen(spki('b'), 'b@h2');
    clock.advance(1_000);
    await new Promise(resolve => { setImmediate(resolve); });
    expect(troubles).toEqual([expect.objectContaining({ kind: 'trust.write' })]);
    registry.set = set;
    await expect(trust.allow(fp('b'), 'read', 'a')).resolves.toMatchObject({ level: 'paired' });
  });

  describe('on a disk that takes nothing', () => {
    const whos = [fp('b'), 'class:seen', 'xmpp:a@home.example'] as const;
    const setup = async (): Promise<{ trust: Trust; works: (works: boolean) => void; may: (who: string) => boolean }> => {
      const { trust, registry } = trustFixture();
      trust.seen(spki('b'), 'b@h2');
      trust.seen(spki('c'), 'c@h3');
      const set = registry.set.bind(registry);
      return {
        trust,
        works: (works) => { registry.set = works ? set : () => Promise.reject(new Error('EIO')); },
        may: who => (who.startsWith('xmpp:') ? trust.accountMay(who, 'read', 'a') : trust.may(who === 'class:seen' ? fp('c') : who, 'read', 'a')),
      };
    };

    test.each(whos)('a right that is given to %s and cannot be stored does not hold, and is not heard of as one that does', async (who) => {
      const { trust, works, may } = await setup();
      works(false);
      const before = trust.generation;
      await expect(trust.allow(who, 'read', 'a')).rejects.toThrow('EIO');
      expect(may(who)).toBe(false);
      expect(trust.generation).toBeGreaterThan(before + 1); // also whoever asked in between asks again
      expect(trust.accounts()).toEqual([]);
      works(true);
      await trust.allow(who, 'read', 'a');
      expect(may(who)).toBe(true);
      works(false);
      await expect(trust.allow(who, 'read', 'a')).rejects.toThrow('EIO');
      expect(may(who)).toBe(true); // as it did
    });

    test.each(whos)('what a right of %s would have taken back holds', async (who) => {
      const { trust, works, may } = await setup();
      await trust.allow(who, 'read', '#');
      await trust.deny(who, 'read', 'a');
      works(false);
      await expect(trust.allow(who, 'read', 'a')).rejects.toThrow('EIO');
      expect(may(who)).toBe(false);
    });

    test.each(whos)('a denial of %s holds', async (who) => {
      const { trust, works, may } = await setup();
      await trust.allow(who, 'read', '#');
      works(false);
      await expect(trust.deny(who, 'read', 'a')).rejects.toThrow('EIO');
      expect(may(who)).toBe(false);
    });

    test('what is revoked is so, and can be revoked again, by its name, when the disk works', async () => {
      const { trust, works, may } = await setup();
      await trust.allow(fp('b'), 'read', 'a');
      works(false);
      await expect(trust.revoke(fp('b'))).rejects.toThrow('EIO');
      expect(may(fp('b'))).toBe(false);
      expect(trust.level(fp('b'))).toBe('seen');
      works(true);
      const again = trust.find('b@h2');
      expect(again?.fingerprint).toBe(fp('b'));
      await trust.revoke(again?.fingerprint ?? '');
      expect(trust.find('b@h2')).toBeUndefined();
      await trust.close();
      expect(trust.list().find(({ fingerprint }) => fingerprint === fp('b'))).toMatchObject({ level: 'seen', grants: [] });
    });

    test('what is denied and revoked is stored when the disk works, unasked', async () => {
      const registry = memoryRegistry();
      const { trust, clock } = trustFixture({ registry });
      for (const name of ['b', 'c']) {
        trust.seen(spki(name), `${name}@h2`);
        await trust.allow(fp(name), 'read', 'a');
      }
      const set = registry.set.bind(registry);
      registry.set = () => Promise.reject(new Error('EIO'));
      await expect(trust.deny(fp('b'), 'read', 'a')).rejects.toThrow('EIO');
      await expect(trust.revoke(fp('c'))).rejects.toThrow('EIO');
      registry.set = set;
      clock.advance(1_000);
      await new Promise(resolve => { setImmediate(resolve); });
      const after = trustFixture({ registry }).trust;
      expect([after.may(fp('b'), 'read', 'a'), after.may(fp('c'), 'read', 'a'), after.level(fp('c'))]).toEqual([false, false, 'seen']);
    });

    test.each(whos)('what is denied and revoked of %s is stored also when the disk works only later than a second', async (who) => {
      const { trust, registry, clock, troubles } = trustFixture();
      for (const right of ['command', 'device'] as const) await trust.allow(who, right, '#');
      const setAll = registry.setAll.bind(registry);
      registry.setAll = () => Promise.reject(new Error('EIO'));
      await expect(trust.deny(who, 'command', '#')).rejects.toThrow('EIO');
      await expect(trust.revoke(who)).rejects.toThrow('EIO');
      const wait = async (ms: number): Promise<void> => {
        clock.advance(ms);
        await quiet();
      };
      await wait(1_000);
      for (let i = 0; i < 5; i += 1) await wait(10_000);
      expect(troubles).toHaveLength(1);
      registry.setAll = setAll;
      await wait(10_000);
      const after = trustFixture({ registry }).trust;
      expect([...after.classes(), ...after.accounts(), ...after.list()].flatMap(({ grants, denials }) => [...grants, ...denials])).toEqual([]);
    });

    test('a right that an older box has stored, without denials, stays when it cannot be stored again', async () => {
      const { registry } = trustFixture();
      registry.rows.set(`trust/${fp('b')}`, { names: ['b@h2'], label: 'b@h2', level: 'paired', grants: [{ right: 'files' }], lastSeen: 1 });
      const { trust } = trustFixture({ registry });
      registry.setAll = () => Promise.reject(new Error('EIO'));
      await expect(trust.allow(fp('b'), 'files')).rejects.toThrow('EIO');
      expect([trust.level(fp('b')), trust.may(fp('b'), 'files')]).toEqual(['paired', true]);
    });

    test('what was said of an account can be taken back again until that is stored', async () => {
      const { trust, registry } = trustFixture();
      const who = 'xmpp:a@home.example';
      await trust.allow(who, 'device', 'd');
      const setAll = registry.setAll.bind(registry);
      registry.setAll = () => Promise.reject(new Error('EIO'));
      await expect(trust.revoke(who)).rejects.toThrow('EIO');
      expect(trust.accountMay(who, 'device', 'd')).toBe(false);
      registry.setAll = setAll;
      await trust.revoke(who);
      expect(trustFixture({ registry }).trust.accounts()).toEqual([]);
      await expect(trust.revoke(who)).rejects.toMatchObject({ code: 'not-found' });
    });

    /** Each write is decided when the test says. */
    const held = async (): Promise<{ trust: Trust; registry: ReturnType<typeof memoryRegistry>; next: (works: boolean) => Promise<void> }> => {
      const { trust, registry } = trustFixture();
      trust.seen(spki('b'), 'b@h2');
      const waiting: ((works: boolean) => void)[] = [];
      const setAll = registry.setAll.bind(registry);
      registry.setAll = entries => {
        const copy = structuredClone(entries);
        return new Promise((resolve, reject) => { waiting.push(works => { if (works) resolve(setAll(copy)); else reject(new Error('EIO')); }); });
      };
      return {
        trust, registry,
        next: async (works) => {
          await quiet();
          waiting.shift()?.(works);
          await quiet();
        },
      };
    };
    const standing = ({ trust, registry }: { trust: Trust; registry: ReturnType<typeof memoryRegistry> }): unknown =>
      [trust, trustFixture({ registry }).trust].map(one => one.list().filter(({ fingerprint }) => fingerprint === fp('b')).map(({ level, grants }) => [level, grants.map(({ right }) => right)]));

    test.each([['is being allowed something', (trust: Trust) => trust.allow(fp('b'), 'chat')], ['is being paired', (trust: Trust) => trust.pair(fp('b'))]] as const)('a key that %s and is revoked meanwhile stays revoked when the first cannot be stored', async (_, vouch) => {
      const rig = await held();
      const paired = rig.trust.pair(fp('b'));
      await rig.next(true);
      await paired;
      const outcomes = Promise.allSettled([vouch(rig.trust), rig.trust.revoke(fp('b'))]);
      await rig.next(false);
      expect(rig.trust.level(fp('b'))).toBe('seen');
      await rig.next(true);
      expect((await outcomes).map(({ status }) => status)).toEqual(['rejected', 'fulfilled']);
      expect(standing(rig)).toEqual([[['seen', []]], [['seen', []]]]);
    });

    test('of two rights at once the one that is stored vouches for the key, whatever becomes of the other', async () => {
      const rig = await held();
      const outcomes = Promise.allSettled([rig.trust.allow(fp('b'), 'chat'), rig.trust.allow(fp('b'), 'files')]);
      await rig.next(false);
      await rig.next(true);
      expect((await outcomes).map(({ status }) => status)).toEqual(['rejected', 'fulfilled']);
      expect([rig.trust.level(fp('b')), rig.trust.list()[0]?.grants]).toEqual(['paired', [{ right: 'files' }]]);
      const closing = rig.trust.close();
      await rig.next(true);
      await closing;
      expect(standing(rig)).toEqual([[['paired', ['files']]], [['paired', ['files']]]]);
    });

    test('a right that is given twice at once, and is not stored, does not hold', async () => {
      const rig = await held();
      const outcomes = Promise.allSettled([rig.trust.allow(fp('b'), 'files'), rig.trust.allow(fp('b'), 'files')]);
      await rig.next(false);
      await rig.next(false);
      expect((await outcomes).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
      expect([rig.trust.level(fp('b')), rig.trust.may(fp('b'), 'files')]).toEqual(['seen', false]);
    });

    test('a key is not paired', async () => {
      const { trust, works } = await setup();
      works(false);
      await expect(trust.pair(fp('b'))).rejects.toThrow('EIO');
      await expect(trust.allow(fp('b'), 'chat')).rejects.toThrow('EIO');
      const both = await Promise.allSettled([trust.pair(fp('b')), trust.allow(fp('b'), 'read', 'a')]);
      expect(both.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
      expect(trust.may(fp('b'), 'read', 'a')).toBe(false);
      expect(trust.level(fp('b'))).toBe('seen');
      works(true);
      await trust.pair(fp('b'));
      expect(trust.level(fp('b'))).toBe('paired');
    });
  });
});
