import { describe, expect, it } from 'vitest';
import { cursorName } from '../../src/home/cursor-name.ts';
import { createRig, type Rig } from './rig.ts';

const ODD = 'odd@home.test';

/** As another version has kept it: `more` is what this one does not take. */
async function kept(rig: Rig, jid: string, more: object = { later: 1 }): Promise<void> {
  const row = rig.log.registry.get(`home:${rig.home.account.jid}`) as object;
  await rig.log.registry.set(`home:${jid}`, { ...row, jid, ...more });
}

describe('an account that another version has kept', () => {
  it('is shown with what waits for it and what to do', async () => {
    await using rig = await createRig();
    await rig.add({ topics: ['t/#'] });
    await rig.state('online');
    await rig.homes.pause(rig.home.account.jid);
    await rig.publish('t/a', 1, 2, 3);
    await kept(rig, rig.home.account.jid);
    await rig.restart();
    const { jid } = rig.home.account;
    expect(await rig.status()).toMatchObject({
      jid, state: 'refused', queued: 3, topics: ['t/#'], oldest: { topic: 't/a', reader: cursorName(jid, 't/#') },
      reason: expect.stringMatching(new RegExp(`unknown home option later.*lanpost home add ${jid}.*lanpost home remove ${jid}`)) as string,
    });
    await expect(rig.homes.resume(jid)).rejects.toMatchObject({ code: 'unsupported', message: expect.stringContaining('unknown home option later') as string });
  });

  it('is removed, and nothing of it is kept any longer', async () => {
    await using rig = await createRig();
    await rig.add({ topics: ['t/#'] });
    await rig.state('online');
    await rig.homes.pause(rig.home.account.jid);
    await rig.publish('t/a', 1, 2);
    await kept(rig, rig.home.account.jid);
    await rig.restart();
    await rig.homes.remove(rig.home.account.jid);
    expect(await rig.homes.list()).toEqual([]);
    expect([...rig.log.cursors()]).toEqual([]);
    expect(rig.log.registry.entries('home')).toEqual([]);
    await rig.restart();
    expect(await rig.homes.list()).toEqual([]);
    await expect(rig.homes.remove(rig.home.account.jid)).rejects.toMatchObject({ code: 'not-found' });
  });

  it('is removed also where nothing of it can be read, not even its name', async () => {
    await using rig = await createRig();
    await rig.log.registry.set('home:Not A Jid', 7);
    await rig.restart();
    expect((await rig.homes.list()).map(({ jid, state }) => [jid, state])).toEqual([['Not A Jid', 'refused']]);
    await rig.homes.remove('Not A Jid');
    expect(await rig.homes.list()).toEqual([]);
  });

  it('is added anew and goes on where it was', async () => {
    await using rig = await createRig();
    await rig.add({ topics: ['t/#'] });
    await rig.publish('t/a', 1, 2, 3);
    await rig.acknowledged('t/a', 3);
    await rig.drained();
    await rig.homes.pause(rig.home.account.jid);
    await rig.publish('t/a', 4, 5);
    await kept(rig, rig.home.account.jid);
    await rig.restart();
    await rig.add({ topics: ['t/#', 'u'] });
    await rig.homes.resume(rig.home.account.jid);
    await rig.publish('u', 6);
    await rig.drained();
    expect(rig.arrivals('t/a')).toEqual(['1', '2', '3', '4', '5']);
    expect(rig.arrivals('u')).toEqual(['6']);
    expect((await rig.homes.list()).length).toBe(1);
  });

  it('goes up once more with all there is where it cannot be told how far it was: nothing is lost', async () => {
    await using rig = await createRig();
    await rig.add({ topics: ['t/#'] });
    await rig.state('online');
    await rig.homes.pause(rig.home.account.jid);
    await rig.publish('t/a', 1, 2);
    // Its rules cannot be told any more, only its readers are there.
    await kept(rig, rig.home.account.jid, { topics: { other: 'form' } });
    await rig.restart();
    await rig.add({ topics: ['t/#'] });
    await rig.homes.resume(rig.home.account.jid);
    await rig.drained();
    expect(rig.arrivals('t/a')).toEqual(['1', '2']);
    expect([...rig.log.cursors()].map(({ name }) => name)).toEqual([cursorName(rig.home.account.jid, 't/#', 1)]);
  });

  it('keeps no other from being added, changed and removed, but for those of its group', async () => {
    await using rig = await createRig();
    await rig.add({ group: 'g' });
    await kept(rig, ODD);
    await rig.restart();
    await expect(rig.add({ group: 'g', topics: ['t'] })).rejects.toMatchObject({ code: 'conflict', message: expect.stringContaining(ODD) as string });
    const reader = cursorName('*g', '#');
    await rig.homes.remove(rig.home.account.jid);
    // It reads for the group.
    expect(rig.log.hasCursor(reader)).toBe(true);
    await rig.homes.remove(ODD);
    expect(rig.log.hasCursor(reader)).toBe(false);
    await rig.add({ topics: ['t'] });
    await rig.state('online');
  });
});

it('a home that could not be taken up is shown, and can be added anew', async () => {
  await using rig = await createRig();
  await rig.add({ topics: ['t'] });
  await rig.state('online');
  const { log } = rig;
  await rig.homes.close();
  const row = log.registry.get(`home:${rig.home.account.jid}`) as object;
  await log.registry.set(`home:${rig.home.account.jid}`, { ...row, cursors: { t: 1 } });
  const busy = await log.cursor({ name: cursorName(rig.home.account.jid, 't', 1), filter: 't', from: 'start', durable: true });
  const { createHomes } = await import('../../src/home/homes.ts');
  const { createSystemClock } = await import('../../src/clock.ts');
  const told: string[] = [];
  rig.homes = createHomes({ log, clock: createSystemClock(), boxId: log.boxId, trouble: ({ message }) => told.push(message), random: () => 0 });
  await rig.homes.start();
  expect(told).toEqual([expect.stringContaining('could not be taken up')]);
  expect(await rig.status()).toMatchObject({ state: 'refused', reason: expect.stringContaining('lanpost home add') as string });
  await busy.close();
  await rig.add({ topics: ['t'] });
  await rig.state('online');
  expect((await rig.homes.list()).length).toBe(1);
});
