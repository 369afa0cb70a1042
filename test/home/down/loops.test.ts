// Two boxes and two homes, everything goes up and comes down: each home is told each record once, and then there is silence.
import { expect, it } from 'vitest';
import { createSystemClock } from '../../../src/clock.ts';
import { createHomes, type Homes } from '../../../src/home/homes.ts';
import { openLog, type Log } from '../../../src/log/log.ts';
import { MemoryDatabase } from '../../../src/log/memory-database.ts';
import { toPayload } from '../../../src/payload/payload.ts';
import { Broker } from '../../../src/pubsub/broker.ts';
import { Bell } from '../../support/bell.ts';
import { quiet } from '../../support/quiet.ts';
import { startFakeHome, type FakeHome } from '../fake-home.ts';

const ITEMS = 1_000;

it('1000 items, each filter # both ways: 1000 publishes at each home, then silence', async () => {
  const bell = new Bell();
  const servers = [await startFakeHome(bell, 'home.test'), await startFakeHome(bell, 'hub.test')];
  // It keeps one count for all who are connected.
  for (const { set } of servers) set.sm = false;
  const boxes: { log: Log; homes: Homes }[] = [];
  for (const boxId of ['aaaabbbbccccdddd', 'bbbbccccddddeeee']) {
    const clock = bell.heard(createSystemClock());
    const trouble = (): void => undefined;
    const log = await openLog({ database: new MemoryDatabase(), clock, boxId, trouble });
    const broker = new Broker({ log, clock, trouble, may: () => false, limits: { itemBytes: 131_072, topics: 1000, subscriptions: 100 } });
    const homes = createHomes({ log, broker, clock, trouble, boxId, limits: { settle: 100, rescan: 100, again: 50 }, random: () => 0 });
    for (const { account } of servers) await homes.add({ ...account, topics: ['#'], down: [{ node: '#' }] });
    boxes.push({ log, homes });
  }
  const published = ({ stanzas }: FakeHome): number => stanzas.filter((stanza) => stanza.getChild('pubsub')?.getChild('publish')).length;
  const records = (log: Log): number => [...log.topics()].reduce((sum, { count }) => sum + count, 0);
  try {
    await Promise.all(boxes.flatMap(({ log }, box) => Array.from({ length: ITEMS / 2 }, (_, n) => log.append({ topic: `t/${n % 4}`, kind: 'publish', payload: toPayload(`${box} ${n}`), ...(n % 3 === 0 ? { id: `${box} ${n}` } : {}) }))));
    await bell.until(() => boxes.every(({ log }) => records(log) === ITEMS));
    await bell.until(async () => (await Promise.all(boxes.map(({ homes }) => homes.list()))).flat().every(({ queued }) => queued === 0));
    await quiet();
    expect(servers.map(published)).toEqual([ITEMS, ITEMS]);
    expect(boxes.map(({ log }) => records(log))).toEqual([ITEMS, ITEMS]);
    // Retractions and updates, too: one each.
    await boxes[0]?.log.append({ topic: 't/0', kind: 'retract', id: '0 0' });
    await boxes[1]?.log.append({ topic: 't/0', kind: 'publish', id: '0 12', payload: toPayload('changed') });
    await bell.until(() => boxes.every(({ log }) => records(log) === ITEMS - 1) && servers.every((server) => published(server) === ITEMS + 1));
    await bell.until(async () => (await Promise.all(boxes.map(({ homes }) => homes.list()))).flat().every(({ queued }) => queued === 0));
    await quiet();
    expect(servers.map(published)).toEqual([ITEMS + 1, ITEMS + 1]);
    expect(servers.map(({ stanzas }) => stanzas.filter((stanza) => stanza.getChild('pubsub')?.getChild('retract')).length)).toEqual([1, 1]);
  } finally {
    for (const { log, homes } of boxes) {
      await homes.close();
      await log.close();
    }
    for (const server of servers) await server.close();
  }
});
