import { describe, expect, it } from 'vitest';
import { type Clock, createTestClock, type TestClock } from '../../src/clock.ts';
import { quiet } from '../support/quiet.ts';
import { DOMAIN } from './fake-home.ts';
import { createRig, type Rig, type RigOptions } from './rig.ts';

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
const YEAR = 365 * DAY;

/** A rig whose password is another at its home. */
async function refusedRig(clock: TestClock = createTestClock()): Promise<{ readonly rig: Rig; readonly clock: TestClock }> {
  const rig = await createRig({ time: clock });
  rig.home.set.password = 'changed there';
  await rig.add();
  await refused(rig, clock);
  return { rig, clock };
}

/** Whatever was due has been tried, in vain. */
async function refused(rig: Rig, clock: Clock): Promise<void> {
  await rig.until(async () => {
    const status = await rig.status();
    return status?.state === 'refused' && (status.nextAttempt ?? 0) > clock.wall();
  });
}

/** Another process, by its own monotonic clock. */
async function startAgain(rig: Rig, clock: TestClock, options: RigOptions = {}): Promise<void> {
  const began = clock.mono();
  await rig.restart({ ...options, time: { ...clock, mono: () => clock.mono() - began } });
}

/** Up for three quarters of a time, then gone, then started again: a hundred times a day. */
async function oneStart(rig: Rig, clock: TestClock, options: RigOptions = {}): Promise<void> {
  for (let part = 0; part < 3; part++) {
    clock.advance(DAY / 400);
    await refused(rig, clock);
  }
  await rig.homes.close();
  clock.advance(DAY / 400);
  await startAgain(rig, clock, options);
}

describe('a refused password', () => {
  it('is tried after 1, 5, 30 and each 60 minutes, no earlier, and lets the box in by itself when it is right again', async () => {
    const { rig, clock } = await refusedRig();
    await using _ = rig;
    for (const [n, minutes] of [1, 5, 30, 60, 60].entries()) {
      expect((await rig.status())?.nextAttempt).toBe(clock.wall() + minutes * MINUTE);
      clock.advance(minutes * MINUTE - 1);
      await quiet();
      expect([rig.home.logins, (await rig.status())?.state]).toEqual([n + 1, 'refused']);
      clock.advance(1);
      await refused(rig, clock);
      expect(rig.home.logins).toBe(n + 2);
    }
    rig.home.set.password = rig.home.account.password;
    await rig.publish('t', 1);
    clock.advance(60 * MINUTE);
    await rig.until(() => rig.count('t') === 1);
    expect([(await rig.status())?.state, rig.home.logins]).toEqual(['online', 7]);
    // Once it was in it begins anew, for another process too.
    rig.home.set.password = 'changed once more';
    rig.home.cut();
    await rig.state('waiting');
    await startAgain(rig, clock);
    await refused(rig, clock);
    expect([rig.home.logins, (await rig.status())?.nextAttempt]).toEqual([8, clock.wall() + MINUTE]);
  });

  it('that is right again lets the box in at the next try, though the home never says which channel binding it means', async () => {
    const clock = createTestClock();
    const rig = await createRig({ time: clock });
    await using _ = rig;
    Object.assign(rig.home.set, { binds: true, mechanisms: ['SCRAM-SHA-256-PLUS', 'SCRAM-SHA-256'] });
    await rig.add();
    await rig.state('online');
    rig.home.set.password = 'changed there';
    rig.home.cut();
    await rig.state('waiting');
    clock.advance(MINUTE);
    await refused(rig, clock);
    rig.home.set.password = rig.home.account.password;
    await rig.publish('t', 1);
    await startAgain(rig, clock);
    clock.advance(MINUTE);
    await rig.until(() => rig.count('t') === 1);
    expect(rig.home.saidOfBinding).toEqual(Array.from({ length: 3 }, () => 'SCRAM-SHA-256-PLUS p=tls-unique'));
  });

  it.each<[string, number, (rig: Rig) => RigOptions, (rig: Rig) => Promise<unknown>]>([
    ['and finds its account', 0, () => ({}), async () => undefined],
    ['and is told its account as it is made', 0, ({ home }) => ({ accounts: [{ ...home.account, service: `pubsub.${DOMAIN}`, topics: ['#'] }] }), async () => undefined],
    ['and then told its account once more', 2, () => ({}), (rig) => rig.add()],
  ])('is tried fewer than 30 times a day by a process that is started 100 times %s', async (_name, early, options, then) => {
    const { rig, clock } = await refusedRig();
    await using _ = rig;
    for (let n = 0; n < 100; n++) {
      await oneStart(rig, clock, options(rig));
      await then(rig);
      await refused(rig, clock);
    }
    expect(rig.home.logins).toBeLessThan(30);
    expect(rig.home.logins).toBeGreaterThan(20);
    expect(rig.log.registry.get(`home-refused:${rig.home.account.jid}`)).toMatchObject({ count: rig.home.logins, early });
    // Each of them says why, and when it is tried.
    const status = await rig.status();
    expect(status?.reason).toBe('the account was refused, check its name and password: not-authorized');
    expect((status?.nextAttempt ?? 0) - clock.wall()).toBeLessThanOrEqual(60 * MINUTE);
    rig.home.set.password = rig.home.account.password;
    clock.advance(60 * MINUTE);
    await rig.state('online');
  });

  it.each<[string, (rig: Rig) => object]>([
    ['is another now', ({ home }) => ({ password: home.set.password })],
    ['is for a server that is to be reached in another way', ({ home }) => { home.set.password = home.account.password; return { transport: 'starttls' }; }],
  ])('that %s is tried at once, by the process that comes next too', async (_name, change) => {
    const { rig, clock } = await refusedRig();
    await using _ = rig;
    // As it is it would not be tried any more.
    for (const logins of [2, 3, 3]) {
      await rig.add();
      await refused(rig, clock);
      expect(rig.home.logins).toBe(logins);
    }
    await startAgain(rig, clock);
    await refused(rig, clock);
    expect(rig.home.logins).toBe(3);
    await rig.add(change(rig));
    await rig.state('online');
    expect(rig.home.logins).toBe(4);
  });

  it('of an account that goes by other rules now is no other: its owner has it tried twice, then it waits for its time', async () => {
    const { rig, clock } = await refusedRig();
    await using _ = rig;
    for (const [topic, logins] of [['a', 2], ['b', 3], ['c', 3], ['d', 3]] as const) {
      await rig.add({ topics: [topic] });
      await refused(rig, clock);
      expect([topic, rig.home.logins]).toEqual([topic, logins]);
    }
    expect((await rig.status())?.nextAttempt).toBe(clock.wall() + 30 * MINUTE);
  });

  it('is tried at once when a home is resumed that was paused, and after it was removed and added', async () => {
    const { rig, clock } = await refusedRig();
    await using _ = rig;
    await rig.homes.pause(rig.home.account.jid);
    await startAgain(rig, clock);
    await rig.state('paused');
    await rig.homes.resume(rig.home.account.jid);
    await rig.until(() => rig.home.logins === 2);
    await refused(rig, clock);
    await rig.homes.remove(rig.home.account.jid);
    expect(rig.log.registry.entries('home-')).toEqual([]);
    await rig.add();
    await refused(rig, clock);
    expect([rig.home.logins, (await rig.status())?.nextAttempt]).toEqual([3, clock.wall() + MINUTE]);
  });

  it('that ended in a ban of the address is left alone for its hour, over restarts too', async () => {
    const { rig, clock } = await refusedRig();
    await using _ = rig;
    rig.home.set.banned = true;
    clock.advance(MINUTE);
    await refused(rig, clock);
    for (const minutes of [60, 45, 30, 15]) {
      expect(await rig.status()).toMatchObject({ reason: expect.stringContaining('policy-violation') as string, nextAttempt: clock.wall() + minutes * MINUTE });
      await rig.homes.close();
      clock.advance(15 * MINUTE);
      rig.home.set.banned = false;
      rig.home.set.password = rig.home.account.password;
      await startAgain(rig, clock);
      if (minutes > 15) await refused(rig, clock);
    }
    await rig.state('online');
    expect(rig.home.logins).toBe(2);
  });

  it('is kept by when and how often, never by itself', async () => {
    const { rig, clock } = await refusedRig();
    await using _ = rig;
    expect(rig.log.registry.get(`home-refused:${rig.home.account.jid}`)).toEqual({ count: 1, at: clock.wall(), wait: MINUTE, reason: 'the account was refused, check its name and password: not-authorized', early: 0 });
  });

  it.each<[string, number, number?]>([
    ['jumps back by 20 years', -20 * YEAR], ['jumps back by an hour', -60 * MINUTE], ['jumps forth by 20 years', 20 * YEAR], ['jumps forth by an hour', 60 * MINUTE],
    ['was wrong by three years, and is right', -3 * YEAR, Date.UTC(2030, 0, 1)], ['was never set', 0, 0], ['begins anew with the machine', -20 * MINUTE, 0],
  ])('is left alone for its time and no longer when the clock %s, however often the process is started', async (_name, jump, from) => {
    const { rig, clock } = await refusedRig(createTestClock(from));
    await using _ = rig;
    for (const minutes of [1, 5, 30]) {
      clock.advance(minutes * MINUTE);
      await refused(rig, clock);
    }
    const before = rig.home.logins;
    await rig.homes.close();
    clock.jump(jump);
    await startAgain(rig, clock);
    await refused(rig, clock);
    for (let n = 0; n < 100; n++) {
      expect((await rig.status())?.nextAttempt).toBeLessThanOrEqual(clock.wall() + 60 * MINUTE);
      await oneStart(rig, clock);
      await refused(rig, clock);
    }
    expect(rig.home.logins - before).toBeGreaterThan(15);
    expect(rig.home.logins - before).toBeLessThan(30);
  });
});
