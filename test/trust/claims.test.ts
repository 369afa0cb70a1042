import { beforeEach, describe, expect, test } from 'vitest';
import { createTestClock, type TestClock } from '../../src/clock.ts';
import { TrustedTime } from '../../src/log/trusted-time.ts';
import { Claims, PROOF_LASTS } from '../../src/trust/claims.ts';
import { quiet } from '../support/quiet.ts';
import { memoryRegistry } from './fixtures.ts';

const JID = 'b@home.example';
const [KEY, OTHER] = ['1'.repeat(64), '2'.repeat(64)] as const;

describe('an account that is one key\'s alone', () => {
  let registry: ReturnType<typeof memoryRegistry>;
  let clock: TestClock;
  let paired: Set<string>;
  let claims: Claims;
  const open = (boot: string, at: TestClock = clock, time = new TrustedTime(at)): Claims => new Claims({ registry, clock: at, boot: () => boot, trustedNow: () => time.now(), isPaired: (key) => paired.has(key) });
  beforeEach(() => {
    registry = memoryRegistry();
    clock = createTestClock();
    paired = new Set([KEY, OTHER]);
    claims = open('1.a');
  });

  test('is nobody\'s before that is proven', async () => {
    await claims.claim(JID, KEY);
    expect(claims.holder(JID)).toBeUndefined();
    expect(claims.of(KEY)).toEqual([{ address: `xmpp:${JID}`, state: 'unproven', since: clock.wall() }]);
    claims.failed(JID, 'the peer is not on the link');
    expect(claims.of(KEY)).toMatchObject([{ state: 'unproven', reason: 'the peer is not on the link' }]);
    await claims.proven(JID, KEY);
    expect(claims.holder(JID)).toBe(KEY);
    expect(claims.of(KEY)).toEqual([{ address: `xmpp:${JID}`, state: 'proven', since: clock.wall() }]);
  });

  test('is for paired keys, and for one', async () => {
    await expect(claims.claim(JID, '3'.repeat(64))).rejects.toMatchObject({ code: 'forbidden' });
    await claims.claim(JID, KEY);
    await expect(claims.claim(JID, OTHER)).rejects.toMatchObject({ code: 'conflict' });
    await expect(claims.proven(JID, OTHER)).rejects.toMatchObject({ code: 'not-found' });
    await claims.disclaim(JID);
    await claims.claim(JID, OTHER);
    await expect(claims.disclaim('c@home.example')).rejects.toMatchObject({ code: 'not-found' });
  });

  test('is it for 30 days, also over a restart', async () => {
    await claims.claim(JID, KEY);
    await claims.proven(JID, KEY);
    clock.advance(PROOF_LASTS - 1000);
    claims = open('2.b');
    expect(claims.holder(JID)).toBe(KEY);
    clock.advance(2000);
    expect(claims.holder(JID)).toBeUndefined();
    expect(claims.of(KEY)).toMatchObject([{ state: 'expired' }]);
  });

  test('is it no shorter because the clock jumps, or is not set after a restart', async () => {
    await claims.claim(JID, KEY);
    await claims.proven(JID, KEY);
    clock.jump(50 * 365 * 86_400_000);
    expect(claims.holder(JID)).toBe(KEY);
    const unset = createTestClock(0);
    expect(open('2.b', unset).holder(JID)).toBe(KEY);
  });

  test('is it no more when the key is not paired any more, and nothing is left of it', async () => {
    await claims.claim(JID, KEY);
    await claims.proven(JID, KEY);
    paired.delete(KEY);
    expect(claims.holder(JID)).toBeUndefined();
    await claims.forget(KEY);
    expect([...registry.rows]).toEqual([]);
    paired.add(KEY);
    expect(claims.holder(JID)).toBeUndefined();
  });

  describe('while the disk takes its time', () => {
    let writes: { readonly done: () => void; readonly failed: () => void }[];
    beforeEach(() => {
      writes = [];
      const store = registry.setAll.bind(registry);
      registry.setAll = (rows) => new Promise((resolve, reject) => {
        writes.push({ done: () => void store(rows).then(resolve), failed: () => reject(new Error('the disk is full')) });
      });
    });
    const written = async (...under: Promise<void>[]): Promise<void> => {
      for (const { done } of writes.splice(0)) done();
      await Promise.all(under);
    };

    test('does not outlive the revocation of its key', async () => {
      const claiming = claims.claim(JID, KEY);
      paired.delete(KEY);
      await written(claiming, claims.forget(KEY));
      paired.add(KEY); // anew, later
      expect([claims.claimant(JID), claims.of(KEY), [...registry.rows]]).toEqual([undefined, [], []]);
    });

    test('is not proven any more once it is being taken back', async () => {
      await written(claims.claim(JID, KEY));
      const forgetting = claims.forget(KEY);
      await expect(claims.proven(JID, KEY)).rejects.toMatchObject({ code: 'not-found' });
      await written(forgetting);
      expect([...registry.rows]).toEqual([]);
    });

    test('is nobody else\'s, and is there for whoever says it again only when it is stored', async () => {
      const claiming = claims.claim(JID, KEY);
      await expect(claims.claim(JID, OTHER)).rejects.toMatchObject({ code: 'conflict' });
      const again = claims.claim(JID, KEY);
      expect(await Promise.race([again.then(() => 'stored'), quiet().then(() => 'waits')])).toBe('waits');
      await written(claiming, again);
      expect(claims.claimant(JID)).toBe(KEY);
    });

    test('is as it is on disk when that could not be written', async () => {
      const claiming = claims.claim(JID, KEY);
      for (const { failed } of writes.splice(0)) failed();
      await expect(claiming).rejects.toThrow('the disk is full');
      expect(claims.claimant(JID)).toBeUndefined();
      await written(claims.claim(JID, OTHER));
      const disclaiming = claims.disclaim(JID);
      for (const { failed } of writes.splice(0)) failed();
      await expect(disclaiming).rejects.toThrow('the disk is full');
      expect(claims.claimant(JID)).toBe(OTHER);
    });
  });

  test('is one of 64', async () => {
    for (let n = 0; n < 64; n++) await claims.claim(`b${n}@home.example`, KEY);
    await expect(claims.claim(JID, KEY)).rejects.toMatchObject({ code: 'busy' });
  });
});
