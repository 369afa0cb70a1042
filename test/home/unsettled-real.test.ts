/* oxlint-disable unicorn/no-await-in-loop -- in order */
// What a home has acknowledged and not yet settled lies in the log: memory does not grow with it. The home is a scripted one; the name puts
// it among the tests with real servers, as it takes as long as they do and measures the heap.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import { createSystemClock } from '../../src/clock.ts';
import { createHomes, type Homes } from '../../src/home/homes.ts';
import { LevelDatabase } from '../../src/log/level-database.ts';
import { openLog, type Log } from '../../src/log/log.ts';
import { toPayload } from '../../src/payload/payload.ts';
import { attr, xml, type Element } from '../../src/xmpp/element.ts';
import { iqResult } from '../../src/xmpp/stanza.ts';
import { Bell } from '../support/bell.ts';
import { startFakeHome } from './fake-home.ts';

const SETTLED = 3_000;
const UNSETTLED = 60_000;
const ALL = SETTLED + UNSETTLED;
const TOPICS = 8;
const HOUR = 3_600_000;
/** Of what any of its waits may take on a busy machine, ms. */
const STAGE = 240_000;

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc') as () => void;
const heap = (): number => {
  gc();
  return process.memoryUsage().heapUsed;
};

it('60 000 unsettled records cost no memory to speak of; a restart sends again all of them that are missing, and nothing that had settled', async () => {
  const bell = new Bell();
  const home = await startFakeHome(bell);
  const dir = mkdtempSync(join(tmpdir(), 'lanpost-unsettled-'));
  /** How often each was sent, and, by positions in the log, what the home has had: it is also asked for what it has not. */
  const sent = new Uint8Array(ALL);
  const had = new Uint8Array(2 * ALL);
  const seqOf = (item: Element | undefined): number => {
    const id = (item && attr(item, 'id')) ?? '';
    return Number(id.slice(id.lastIndexOf('-') + 1));
  };
  let total = 0;
  let present = true;
  let asked = 0;
  const nOf = (iq: Element): number => Number(iq.getChild('pubsub')?.getChild('publish')?.getChild('item')?.getChild('record')?.getChild('json')?.getText());
  home.set.before = () => { home.stanzas.length = 0; };
  home.set.answer = (iq, what, node) => {
    if (what === 'publish') {
      const n = nOf(iq);
      had[seqOf(iq.getChild('pubsub')?.getChild('publish')?.getChild('item'))] = 1;
      sent[n] = (sent[n] ?? 0) + 1;
      total++;
      return iqResult(iq);
    }
    if (what !== 'items') return undefined;
    asked++;
    const ids = iq.getChild('pubsub')?.getChild('items')?.getChildren('item') ?? [];
    const items = present ? ids.filter((item) => had[seqOf(item)] === 1).map((item) => xml('item', { id: attr(item, 'id') ?? '' }, xml('record', { xmlns: 'urn:lanpost:0', id: attr(item, 'id') ?? '' }))) : [];
    return iqResult(iq, xml('pubsub', { xmlns: 'http://jabber.org/protocol/pubsub' }, xml('items', { node }, ...items)));
  };
  let log!: Log;
  let homes!: Homes;
  const open = async (settle: number): Promise<void> => {
    const clock = bell.heard(createSystemClock());
    log = await openLog({ database: new LevelDatabase(dir), clock, boxId: 'aaaabbbbccccdddd', trouble: () => undefined, limits: { ringBytes: 1 << 16 } });
    homes = createHomes({ log, clock, trouble: () => undefined, boxId: log.boxId, limits: { settle }, random: () => 0 });
    await homes.start();
  };
  const shut = async (): Promise<void> => {
    await homes.close();
    await log.close();
  };
  const queued = async (): Promise<number> => (await homes.list())[0]?.queued ?? -1;
  /** What a topic's own cursor has taken over is counted with both until it settles. */
  const aboutAll = async (): Promise<boolean> => {
    const count = await queued();
    return count >= UNSETTLED && count <= UNSETTLED * 1.01;
  };
  const publish = async (from: number, to: number): Promise<void> => {
    for (let n = from; n < to; n += 500) {
      await Promise.all(Array.from({ length: Math.min(500, to - n) }, (_, i) => log.append({ topic: `t/${(n + i) % TOPICS}`, kind: 'publish', payload: toPayload(n + i) })));
    }
  };
  /** Ends long before the test would, and says how it stands. */
  const soon = async (fits: () => boolean | Promise<boolean>): Promise<void> => {
    const over = new AbortController();
    const late = pause(STAGE, undefined, { signal: over.signal }).then(async () => { throw new Error(JSON.stringify({ total, asked, present, fits: await fits(), home: await homes.list() })); });
    await Promise.race([bell.until(fits), late]).finally(() => {
      late.catch(() => undefined); // it was in time
      over.abort();
    });
  };
  const count = (from: number, to: number, times: number): number => sent.subarray(from, to).filter((one) => one === times).length;

  try {
    await open(100);
    await homes.add({ ...home.account, topics: ['#'] });
    await publish(0, SETTLED);
    await soon(async () => await queued() === 0);
    await shut();

    await open(HOUR);
    await publish(SETTLED, SETTLED + 20_000);
    await soon(() => total >= SETTLED + 20_000);
    // The newest records that the log keeps in memory are there by now.
    const before = heap();
    await publish(SETTLED + 20_000, ALL);
    await soon(() => total >= ALL);
    const grown = heap() - before;
    expect([total, await aboutAll()]).toEqual([ALL, true]);
    // An entry of its own for each would be over 20 MiB.
    expect(grown).toBeLessThan(4 << 20);

    // Another session: a page or two of each topic show that the newest are there, so nothing is sent.
    home.set.resumable = false;
    asked = 0;
    home.cut();
    await soon(() => asked >= TOPICS);
    expect([total, await aboutAll()]).toEqual([ALL, true]);
    expect(asked).toBeLessThanOrEqual(2 * TOPICS);
    await shut();

    // Another process, and a home that has lost everything.
    present = false;
    await open(2_000);
    await soon(async () => total >= ALL + UNSETTLED && await queued() === 0);
    expect([total, count(0, SETTLED, 1), count(SETTLED, ALL, 2)]).toEqual([ALL + UNSETTLED, SETTLED, UNSETTLED]);
  } finally {
    await shut();
    await home.close();
    rmSync(dir, { recursive: true });
  }
}, 900_000);
