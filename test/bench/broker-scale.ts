import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { createSystemClock } from '../../src/clock.ts';
import type { Cursor } from '../../src/log/cursor.ts';
import { LevelDatabase } from '../../src/log/level-database.ts';
import { type Log, openLog } from '../../src/log/log.ts';
import type { Draft } from '../../src/log/record.ts';
import { type Box, createBox } from '../../src/index.ts';
import { OWNER } from '../../src/pubsub/actor.ts';
import { Broker } from '../../src/pubsub/broker.ts';
import { readJsonLines } from '../support/json-lines.ts';
import { ROOT } from '../support/root.ts';
import { inMiB, inMs, inTurns, median, percentile, perSecond, quiet, type Row } from './figures.ts';

const TOPICS = 10_000;
const READERS = 10_000;
const ITEMS = 1_000_000;
const ROUNDS = 5;
const STALLED = 100;
const BODY = Buffer.from(JSON.stringify({ sensor: 'boiler', value: 21.5, unit: 'Cel', at: 1_700_000_000_000, ok: true, note: 'x'.repeat(90) }));
const INDEX = pathToFileURL(join(ROOT, 'dist/src/index.js')).href;

const draft = (topic: string): Draft => ({ topic, kind: 'publish', payload: { contentType: 'application/json', bytes: BODY } });
const openBox = (dir: string): Promise<Box> => createBox({ dir, link: false, control: false });
const open = (dir: string): Promise<Log> => openLog({ database: new LevelDatabase(dir), clock: createSystemClock(), boxId: 'abcdefghijklmnop', trouble: () => {} });

/** One topic in a hundred is in the hundredth area. */
const topicNo = (i: number): string => `scale/${i % 100}/${i}`;

async function scratch<T>(use: (dir: string) => Promise<T>): Promise<T> {
  const dir = await mkdtemp(join(tmpdir(), 'lanpost-bench-'));
  try {
    return await use(dir);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/** So many appends with a hundred in flight, over these topics in turn; milliseconds each took, and the rate. */
async function load(log: Log, topics: (i: number) => string, count: number): Promise<{ rate: number; acks: number[] }> {
  const acks: number[] = [];
  const start = performance.now();
  let next = 0;
  await Promise.all(Array.from({ length: 100 }, async () => {
    while (next < count) {
      const topic = topics(next++);
      const begun = performance.now();
      await log.append(draft(topic));
      acks.push(performance.now() - begun);
    }
  }));
  return { rate: (count * 1000) / (performance.now() - start), acks };
}

/** The same through the API of a box; items a second. */
async function publish(box: Box, topics: (i: number) => string, count: number): Promise<number> {
  const start = performance.now();
  let next = 0;
  await Promise.all(Array.from({ length: 100 }, async () => {
    while (next < count) await box.publish(topics(next++), { value: 21.5, note: 'x'.repeat(120) });
  }));
  return (count * 1000) / (performance.now() - start);
}

async function fill(log: Log): Promise<void> {
  for (let i = 0; i < TOPICS; i += 1000) await Promise.all(Array.from({ length: 1000 }, (_, j) => log.append(draft(topicNo(i + j)))));
  for (let i = TOPICS; i < ITEMS; i += 1000) await Promise.all(Array.from({ length: 1000 }, (_, j) => log.append(draft(topicNo((i + j) % TOPICS)))));
}

async function subscribe(log: Log, filter: (i: number) => string, count: number): Promise<void> {
  for (let i = 0; i < count; i += 500) {
    await Promise.all(Array.from({ length: Math.min(500, count - i) }, async (_, j) => (await log.cursor({ name: `reader ${i + j}`, filter: filter(i + j), from: 'new', durable: true })).close()));
  }
}

/** Readers of a box, half of them open, the others durable and away. */
async function occupy(box: Box, filter: (i: number) => string, count: number): Promise<void> {
  for (let i = 0; i < count; i += 500) {
    await Promise.all(Array.from({ length: Math.min(500, count - i) }, async (_, j) => {
      const away = j % 4 < 2;
      const reader = box.subscribe(filter(i + j), away ? { durable: `reader ${i + j}` } : {});
      await reader.ready;
      if (away) await reader.close();
    }));
  }
}

/** A full log: how long it takes to open, how fast a box is with it beside an empty one, and what reading a hundredth of it takes. */
async function full(): Promise<Row[]> {
  return scratch((dir) => scratch(async (emptyDir) => {
    let log = await open(dir);
    await fill(log);
    await subscribe(log, (i) => (i % 2 === 0 ? `other/+/${i}/#` : `other/${i}`), READERS);
    await log.close();
    const openings: number[] = [];
    for (let round = 0; round < 3; round++) {
      const start = performance.now();
      log = await open(dir);
      openings.push(performance.now() - start);
      await log.close();
    }
    const [box, empty] = [await openBox(dir), await openBox(emptyDir)];
    const rate = async (of: Box): Promise<number> => {
      const measured = await publish(of, (i) => topicNo(i % 100), 20_000);
      await quiet();
      return measured;
    };
    const rates = await inTurns(ROUNDS, () => rate(box), () => rate(empty));
    await Promise.all([box.close(), empty.close()]);
    log = await open(dir);
    const reads: number[] = [];
    let found = 0;
    for (let round = 0; round < 3; round++) {
      const cursor = await log.cursor({ name: `few ${round}`, filter: 'scale/7/#', from: 'start', durable: false });
      const start = performance.now();
      found = 0;
      for (let page = await cursor.next(256); page.length > 0; page = await cursor.next(256)) {
        for (const { record } of page) cursor.done(record.seq);
        found += page.length;
      }
      reads.push(performance.now() - start);
      await cursor.close();
    }
    await log.close();
    const opening = median(openings);
    const read = median(reads);
    return [
      { what: `${TOPICS} topics, ${READERS} durable readers, ${ITEMS} items: open`, ours: inMs(opening), peer: '', target: '≤ 1000 ms', met: opening <= 1000 },
      { what: 'the same: acked items, 100 in flight, against an empty box', ours: perSecond(median(rates.ours)), peer: perSecond(median(rates.peer)), ratio: rates.ratio, target: '≥ 0.8', met: rates.ratio >= 0.8 },
      { what: `the same: a filter reads its hundredth (${found} records)`, ours: inMs(read), peer: '', target: '≤ 300 ms', met: read <= 300 },
    ];
  }));
}

/** What matching costs: the same load beside readers that do not match, few and many. */
async function matching(): Promise<Row[]> {
  return scratch((few) => scratch(async (many) => {
    const [a, b] = [await openBox(many), await openBox(few)];
    const filter = (i: number): string => (i % 2 === 0 ? `other/+/${i}/#` : `+/${i}/x`);
    await occupy(a, filter, READERS);
    await occupy(b, filter, 10);
    let next = 0;
    // New topics each time: what is found for a topic is remembered.
    const measure = async (box: Box): Promise<number> => {
      await quiet();
      return 1000 / await publish(box, () => `t/${next % 10}/${next++}`, 1500);
    };
    const { ours, peer, ratio } = await inTurns(2 * ROUNDS + 1, () => measure(a), () => measure(b));
    await Promise.all([a.close(), b.close()]);
    return [{ what: `time per item of a new topic, ${READERS} readers that do not match, against 10`, ours: inMs(median(ours)), peer: inMs(median(peer)), ratio, target: '≤ 1.2', met: ratio <= 1.2 }];
  }));
}

/** All readers match the one topic, and are away. */
async function crowd(): Promise<Row[]> {
  return scratch((alone) => scratch(async (crowded) => {
    const [a, b] = [await open(crowded), await open(alone)];
    await a.append(draft('one'));
    await b.append(draft('one'));
    await subscribe(a, () => 'one', READERS);
    const p99 = async (log: Log): Promise<number> => percentile((await load(log, () => 'one', 20_000)).acks, 0.99);
    const { ours, peer, ratio } = await inTurns(ROUNDS, () => p99(a), () => p99(b));
    await a.close();
    await b.close();
    return [{ what: `p99 of an ack, ${READERS} durable readers of that topic, against none`, ours: inMs(median(ours)), peer: inMs(median(peer)), ratio, target: '≤ 2', met: ratio <= 2 }];
  }));
}

/** So many readers open at once, all of that one topic: they read what is published, and confirm it. */
async function openCrowd(): Promise<Row[]> {
  return scratch((alone) => scratch(async (crowded) => {
    const [a, b] = [await open(crowded), await open(alone)];
    const sent: number[] = [];
    const late: number[] = [];
    let delivered = (): void => undefined;
    const read = async (cursor: Cursor, last: boolean): Promise<void> => {
      for (;;) {
        const page = await cursor.next(64);
        if (page.length === 0) await cursor.wait();
        for (const { record } of page) {
          cursor.done(record.seq);
          if (!last) continue;
          late.push(performance.now() - (sent[record.seq] ?? Number.NaN));
          delivered();
        }
      }
    };
    const reading: Promise<void>[] = [];
    for (let i = 0; i < READERS; i++) {
      const cursor = await a.cursor({ name: `open ${i}`, filter: 'one', from: 'new', durable: true });
      reading.push(read(cursor, i === READERS - 1).catch(() => undefined)); // until the log is closed
    }
    // One producer, few items a second: what is measured is how long it waits, not how much there is to do. Some items
    // here, some there, so that a busy moment of the machine costs both; what the crowd still writes is not the others' to wait for.
    const append = async (log: Log, acks: number[]): Promise<void> => {
      const begun = performance.now();
      sent[log.head + 1] = begun;
      await log.append(draft('one'));
      acks.push(performance.now() - begun);
    };
    const p99s: { readonly ours: number; readonly peer: number }[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const [ours, peer]: [number[], number[]] = [[], []];
      for (let block = 0; block < 4; block++) {
        for (let i = 0; i < 50; i++) {
          const last = new Promise<void>((resolve) => { delivered = resolve; });
          await append(a, ours);
          await last;
          await pause(50);
        }
        await pause(1500); // so long cursors wait for a batch that takes them along
        await quiet();
        for (let i = 0; i < 50; i++) {
          await append(b, peer);
          await pause(50);
        }
      }
      p99s.push({ ours: percentile(ours, 0.99), peer: percentile(peer, 0.99) });
    }
    const ratio = median(p99s.map(({ ours, peer }) => ours / peer));
    // And while they are at work, whoever has not got the last one yet.
    const meanwhile: number[] = [];
    for (let i = 0; i < 200; i++) await Promise.all([append(a, meanwhile), pause(100)]);
    await a.close();
    await b.close();
    await Promise.all(reading);
    return [
      { what: `p99 of an ack, ${READERS} open durable readers of that topic, against none`, ours: inMs(median(p99s.map(({ ours }) => ours))), peer: inMs(median(p99s.map(({ peer }) => peer))), ratio, target: '≤ 2', met: ratio <= 2 },
      { what: 'the same: p99 until the last of them has it', ours: inMs(percentile(late, 0.99)), peer: '' },
      { what: 'the same: p99 of an ack at ten items a second, which keep all of them reading', ours: inMs(percentile(meanwhile, 0.99)), peer: '' },
    ];
  }));
}

/** A broker of one topic with so many readers that have stopped at its first item, and one that keeps up. */
async function beside(dir: string, stalled: number): Promise<{ readonly publish: (count: number) => Promise<number>; readonly read: (count: number) => Promise<number>; readonly close: () => Promise<void> }> {
  const log = await open(dir);
  const broker = new Broker({ log, clock: createSystemClock(), trouble: () => {}, may: () => false, limits: { itemBytes: 10_000, topics: 10, subscriptions: STALLED + 1 } });
  const payload = { contentType: 'application/json', bytes: BODY };
  const fast = broker.subscribe('one', { durable: 'fast' });
  const stopped = Array.from({ length: stalled }, (_, i) => broker.subscribe('one', { ...(i % 2 === 0 && { durable: `stopped ${i}` }), ack: 'manual', inFlight: 1 }));
  await Promise.all([fast, ...stopped].map((reader) => reader.ready));
  await broker.publish(OWNER, 'one', payload);
  await Promise.all([fast, ...stopped].map((reader) => reader.next()));
  // Each asks for another, which it is not given before it has confirmed the first.
  const asking = stopped.map((reader) => reader.next());
  return {
    async publish(count) {
      let next = 0;
      const start = performance.now();
      await Promise.all(Array.from({ length: 100 }, async () => { while (next++ < count) await broker.publish(OWNER, 'one', payload); }));
      return (count * 1000) / (performance.now() - start);
    },
    async read(count) {
      const start = performance.now();
      for (let n = 0; n < count; n++) await fast.next();
      return (count * 1000) / (performance.now() - start);
    },
    async close() {
      await Promise.all([fast, ...stopped].map((reader) => reader.close()));
      await Promise.all(asking);
      broker.readers.close();
      await log.close();
    },
  };
}

/** What readers cost that have stopped: how fast is published, and how fast one that reads meanwhile has it. */
export async function stalledReaders(rounds: number = ROUNDS, items: number = 20_000): Promise<Row[]> {
  return scratch((alone) => scratch(async (crowded) => {
    const [a, b] = [await beside(crowded, STALLED), await beside(alone, 0)];
    const reads: { readonly ours: number[]; readonly peer: number[] } = { ours: [], peer: [] };
    const measure = async (one: typeof a, rates: number[]): Promise<number> => {
      await quiet();
      const [published, read] = await Promise.all([one.publish(items), one.read(items)]);
      rates.push(read);
      return published;
    };
    const published = await inTurns(rounds, () => measure(a, reads.ours), () => measure(b, reads.peer));
    const ratio = median(reads.ours.map((rate, i) => rate / (reads.peer[i] ?? Number.NaN)));
    await a.close();
    await b.close();
    return [
      { what: `acked items, 100 in flight, ${STALLED} readers of that topic that have stopped, against none`, ours: perSecond(median(published.ours)), peer: perSecond(median(published.peer)), ratio: published.ratio, target: '≥ 0.8', met: published.ratio >= 0.8 },
      { what: 'the same: items that a reader has meanwhile', ours: perSecond(median(reads.ours)), peer: perSecond(median(reads.peer)), ratio, target: '≥ 0.8', met: ratio >= 0.8 },
    ];
  }));
}

/** All files in it. */
async function sizeOf(dir: string): Promise<number> {
  const sizes = await Promise.all((await readdir(dir)).map((name) => stat(join(dir, name)).then(({ size }) => size, () => 0)));
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** Nine topics of ten are purged; then nothing is written any more. */
async function space(): Promise<Row[]> {
  return scratch(async (dir) => {
    const log = await open(dir);
    await fill(log);
    const before = await sizeOf(dir);
    for (let i = 0; i < TOPICS; i += 1000) {
      await Promise.all(Array.from({ length: 1000 }, (_, j) => i + j).filter((no) => no % 10 > 0).map((no) => log.append({ topic: topicNo(no), kind: 'purge' })));
    }
    await pause(60_000);
    const size = await sizeOf(dir);
    let live = 0;
    for (const { viewBytes } of log.topics()) live += viewBytes;
    await log.close();
    const most = 2 * live + 16 * 1024 * 1024;
    return [{ what: `files a minute after nine of ten of ${ITEMS} items were purged (${inMiB(before / 1048576)} before; live ${inMiB(live / 1048576)})`, ours: inMiB(size / 1048576), peer: '', target: `≤ ${inMiB(most / 1048576)}`, met: size <= most }];
  });
}

/** In a process of its own: what filling it takes is not what it takes to be full. */
const fillProgram = (dir: string): string => `
  import { createBox } from ${JSON.stringify(INDEX)};
  const box = await createBox({ dir: ${JSON.stringify(dir)}, link: false, control: false });
  const topic = (i) => 'scale/' + i % 100 + '/' + i;
  for (let i = 0; i < ${ITEMS}; i += 1000) {
    await Promise.all(Array.from({ length: 1000 }, (_, j) => box.publish(topic((i + j) % ${TOPICS}), { n: i + j, note: 'x'.repeat(120) })));
  }
  for (let i = 0; i < ${READERS}; i += 500) {
    await Promise.all(Array.from({ length: 500 }, async (_, j) => {
      const no = i + j;
      const reader = box.subscribe(no % 2 === 0 ? 'other/+/' + no + '/#' : 'other/' + no, { durable: 'reader ' + no });
      await reader.ready;
      await reader.close();
    }));
  }
  await box.close();
`;

/** All its topics in turn, which one durable reader reads; for a minute. */
const loadProgram = (dir: string): string => `
  import { createBox } from ${JSON.stringify(INDEX)};
  const opening = performance.now();
  const box = await createBox({ dir: ${JSON.stringify(dir)}, link: false });
  console.log(JSON.stringify({ opened: performance.now() - opening }));
  const reader = box.subscribe('scale/#', { durable: 'r' });
  await reader.ready;
  let read = 0;
  (async () => { for await (const one of reader) { one.ack(); read++; } })();
  const begun = performance.now();
  let [sent, acked] = [0, 0];
  const tick = setInterval(() => {
    const due = (performance.now() - begun) * 2;
    for (; sent < due; sent++) {
      const i = sent * 7919 % ${TOPICS};
      box.publish('scale/' + i % 100 + '/' + i, { n: sent, note: 'x'.repeat(120) }).then(() => { acked++; });
    }
    if (performance.now() - begun < 60_000) return;
    clearInterval(tick);
    console.log(JSON.stringify({ acked, read }));
  }, 10);
`;

/** A full box in a process of its own, which opens and then is under 2,000 items a second for a minute. */
async function fullBox(): Promise<Row[]> {
  return scratch(async (dir) => {
    await once(spawn(process.execPath, ['--input-type=module', '-e', fillProgram(dir)], { stdio: ['ignore', 'ignore', 'inherit'] }), 'close');
    const child = spawn(process.execPath, ['--input-type=module', '-e', loadProgram(dir)]);
    const said = readJsonLines<{ readonly opened?: number; readonly acked?: number; readonly read?: number }>(child, 'the full box');
    const { opened = Number.NaN } = await said.wait((line) => line.opened !== undefined, { timeout: 60_000 });
    const { acked = 0, read = 0 } = await said.wait((line) => line.acked !== undefined, { timeout: 120_000 });
    const bytes = Number(/^VmRSS:\s+(\d+) kB/m.exec(await readFile(`/proc/${child.pid}/status`, 'utf8'))?.[1]) * 1024;
    child.kill('SIGKILL');
    await once(child, 'close');
    const what = `a box with ${TOPICS} topics, ${READERS} durable readers that do not match, ${ITEMS} items`;
    return [
      { what: `${what}: open`, ours: inMs(opened), peer: '', target: '≤ 1000 ms', met: opened <= 1000 },
      { what: `${what}: memory after a minute of 2,000 items a second (${acked} acknowledged, ${read} read)`, ours: inMiB(bytes / 1048576), peer: '', target: '≤ 200 MB', met: bytes <= 200e6 && acked >= 119_000 && read >= 0.99 * acked },
    ];
  });
}

/** The broker when there is much of everything. */
export async function benchBrokerScale(): Promise<Row[]> {
  return [...await full(), ...await matching(), ...await crowd(), ...await openCrowd(), ...await stalledReaders(), ...await space(), ...await fullBox()];
}
