import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { createTestClock } from '../../src/clock.ts';
import { Bell } from '../support/bell.ts';
import { quiet } from '../support/quiet.ts';
import { startFakeHome } from './fake-home.ts';
import { createRig, type Rig } from './rig.ts';

const cursors = (rig: Rig): string[] => [...rig.log.cursors()].map(({ name }) => name).toSorted();
/** All that the owner can say which the home does not look at here. */
const SAID = { topics: [], up: [{ filter: 't/#', node: '{topic}', expire: 3_600_000, pack: { records: 10, bytes: 2048 } }, { filter: '#', priority: 1 }], down: [{ node: 'news', from: 'new' }], budget: 1_000_000, plain: true };

describe('an account that is added as it is already', () => {
  it('keeps its session and its readers, after a restart of the box too', async () => {
    await using rig = await createRig();
    const { home } = rig;
    await rig.add(SAID);
    await rig.state('online');
    const before = cursors(rig);
    for (const sessions of [1, 2]) {
      const { since } = (await rig.status())!;
      expect(await rig.add(SAID)).toMatchObject({ state: 'online', since });
      await rig.publish('x', sessions);
      await rig.drained();
      expect([home.sessions + home.resumed, home.logins, cursors(rig)]).toEqual([sessions, sessions, before]);
      if (sessions === 2) break;
      await rig.restart();
      await rig.state('online');
    }
  });

  it('is not shown the password on that account, when it knew it before', async () => {
    await using rig = await createRig();
    const plain = { plain: true };
    await rig.add(plain);
    await rig.state('online');
    await rig.add(plain);
    let shown = 0;
    rig.home.set.mechanisms = ['PLAIN'];
    rig.home.set.wire = (element) => { if (element.name === 'auth' && element.attrs['mechanism'] === 'PLAIN') shown++; };
    rig.home.cut();
    await rig.state('refused');
    expect(shown).toBe(0);
  });

  it('and was refused is tried at once', async () => {
    await using rig = await createRig();
    for (const logins of [1, 2]) {
      await rig.add({ password: 'wrong' });
      await rig.until(() => rig.home.logins === logins);
      await rig.state('refused');
    }
    expect(rig.home.logins).toBe(2);
  });

  it('and waits for its server is tried at once', async () => {
    const clock = createTestClock();
    let tries = 0;
    const door = createServer((socket) => {
      tries++;
      rig.ring();
      socket.resetAndDestroy();
    });
    await using rig = await createRig({ clock, random: () => 1 });
    door.listen(0, '127.0.0.1');
    await once(door, 'listening');
    const there = { port: (door.address() as AddressInfo).port };
    await rig.add(there);
    for (let n = 1; n <= 6; n++) {
      await rig.until(() => tries === n);
      await rig.state('waiting');
      if (n < 6) clock.advance(60_000);
    }
    // The next is half a minute away.
    clock.advance(5_000);
    await quiet();
    expect(tries).toBe(6);
    await rig.add(there);
    await rig.until(() => tries === 7);
    door.close();
    await once(door, 'close');
  });

  it('stays paused', async () => {
    await using rig = await createRig();
    await rig.add();
    await rig.homes.pause(rig.home.account.jid);
    await rig.state('paused');
    expect(await rig.add()).toMatchObject({ state: 'paused' });
    expect(await rig.status()).toMatchObject({ state: 'paused' });
  });

  it('and could not be read is taken up', async () => {
    await using rig = await createRig();
    await rig.add();
    const row = rig.log.registry.get(`home:${rig.home.account.jid}`) as object;
    await rig.log.registry.set(`home:${rig.home.account.jid}`, { ...row, later: 1 });
    await rig.restart();
    expect(await rig.status()).toMatchObject({ state: 'refused' });
    await rig.add();
    await rig.state('online');
    expect(rig.log.registry.get(`home:${rig.home.account.jid}`)).toEqual(row);
  });

  it('says what goes up for all of its group, and nothing new where that goes up already', async () => {
    await using rig = await createRig();
    const second = await startFakeHome(new Bell());
    try {
      const [first, other] = [{ topics: ['#'], group: 'plant', rank: 0 }, { ...second.account, jid: 'other@home.test', group: 'plant', rank: 1 }];
      const topics = async (): Promise<string[]> => (await rig.homes.list()).map((one) => one.topics.join());
      const online = (): Promise<void> => rig.until(async () => (await rig.homes.list()).every(({ state }) => state === 'online'));
      await rig.add(first);
      await rig.homes.add({ ...other, topics: ['t'] });
      await online();
      expect(await topics()).toEqual(['t', 't']);
      await rig.add(first);
      await online();
      expect(await topics()).toEqual(['#', '#']);
      const sessions = (): number[] => [rig.home, second].map((home) => home.sessions);
      const before = sessions();
      await rig.add(first);
      await rig.homes.add({ ...other, topics: ['#'] });
      await rig.publish('t', 1);
      await rig.drained();
      await online();
      expect(sessions()).toEqual(before);
    } finally {
      await second.close();
    }
  });
});
