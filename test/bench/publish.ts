import { execFile } from 'node:child_process';
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { Level } from 'level';
import { type Box, createBox } from '../../src/index.ts';
import { needs } from '../support/needs.ts';
import { ROOT } from '../support/root.ts';
import { COUNTING_SYNCS, logSyncs } from './syncs.ts';
import { inMs, inTurns, median, percentile, perSecond, quiet, type Row } from './figures.ts';

const ROUNDS = 12;
const PAD = 'x'.repeat(80);

interface Rows { readonly records: [Buffer, Buffer][]; readonly index: [Buffer, Buffer][]; readonly commits: [Buffer, Buffer][]; readonly topic: [Buffer, Buffer] }

/** Durable publishes through the API against a bare loop that writes the same rows in synced batches. */
export async function benchPublish(): Promise<Row[]> {
  const dir = mkdtempSync(join(tmpdir(), 'lanpost-bench-'));
  try {
    const rows = await recordedRows(join(dir, 'recorded'));
    const box = await createBox({ dir: join(dir, 'box'), link: false, control: false });
    const bare = new Level<Buffer, Buffer>(join(dir, 'bare'), { keyEncoding: 'buffer', valueEncoding: 'buffer' });
    await bare.open();
    const results: Row[] = [];
    for (const [inFlight, count] of [[1, 1000], [100, 20_000], [1000, 50_000]] as const) {
      await publishMany(box, inFlight, count / 4); // warm
      const { ours, peer, ratio } = await inTurns(ROUNDS, () => calm(publishMany(box, inFlight, count)), () => calm(writeMany(bare, rows, inFlight, count)));
      results.push({
        what: `durable publishes through the API, ${inFlight} in flight, against a bare loop of the same rows in synced batches`,
        ours: perSecond(median(ours)), peer: perSecond(median(peer)), ratio, ...(inFlight === 1 ? {} : { target: '≥ 0.60', met: ratio >= 0.6 }),
      });
    }
    results.push(await sustained(box, bare, rows), await oneProducer(box, dir), await answers(box), ...await latency(box, bare, rows), await syncs(dir));
    await box.close();
    await bare.close();
    return results;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Room is made in quiet moments, and before the other side's turn. */
async function calm(rate: Promise<number>): Promise<number> {
  const measured = await rate;
  await quiet();
  return measured;
}

/** One item after the other, against one append after the other to a bare file, each synced. */
async function oneProducer(box: Box, dir: string): Promise<Row> {
  const file = openSync(join(dir, 'raw'), 'w');
  const item = Buffer.alloc(256);
  const append = async (count: number): Promise<number> => {
    const begin = performance.now();
    for (let i = 0; i < count; i++) {
      writeSync(file, item);
      fdatasyncSync(file);
    }
    return count / (performance.now() - begin) * 1000;
  };
  const { ours, peer, ratio } = await inTurns(ROUNDS, () => calm(publishMany(box, 1, 1000)), () => calm(append(1000)));
  closeSync(file);
  return {
    what: 'durable publishes through the API, one producer, against raw appends with fdatasync', ours: perSecond(median(ours)), peer: perSecond(median(peer)),
    ratio, target: '≥ 0.30', met: ratio >= 0.3,
  };
}

/** How long a producer waits for its answer. */
async function answers(box: Box): Promise<Row> {
  const p99: number[] = [];
  for (let round = 0; round < 5; round++) {
    const waits: number[] = [];
    await publishMany(box, 100, 20_000, waits);
    p99.push(percentile(waits, 0.99));
    await quiet();
  }
  return { what: 'answer to a publish through the API, 100 producers, p99', ours: inMs(median(p99)), peer: '', target: '≤ 10 ms', met: median(p99) <= 10 };
}

/** In a process of its own, of which every sync of the log's files is counted. */
async function syncs(dir: string): Promise<Row> {
  const what = 'fsyncs of the log per answer, through the API, 100 in flight';
  if (!needs('strace')) return { what, ours: 'not measured', peer: 'apt-get install strace' };
  const found = join(dir, 'syncs');
  const count = 20_000;
  const program = `
    import { createBox } from ${JSON.stringify(pathToFileURL(join(ROOT, 'dist/src/index.js')).href)};
    const box = await createBox({ dir: ${JSON.stringify(join(dir, 'counted'))}, link: false, control: false });
    let next = 0;
    await Promise.all(Array.from({ length: 100 }, async () => { while (next < ${count}) await box.publish('bench/topic', { n: next++ }); }));
    await box.close();
  `;
  await promisify(execFile)('strace', [...COUNTING_SYNCS, found, process.execPath, '--input-type=module', '-e', program]);
  const each = logSyncs(found) / count;
  return { what, ours: each.toFixed(4), peer: '', target: '≤ 0.02', met: each <= 0.02 };
}

/** For so long that room has to be made while items come in. */
async function sustained(box: Box, bare: Level<Buffer, Buffer>, rows: Rows): Promise<Row> {
  const count = 400_000;
  const { ours, peer, ratio } = await inTurns(2, () => calm(publishMany(box, 1000, count)), () => calm(writeMany(bare, rows, 1000, count)));
  return {
    what: `the same, 1000 in flight, ${count.toLocaleString('en')} in a row, of which the oldest are deleted meanwhile`,
    ours: perSecond(median(ours)), peer: perSecond(median(peer)), ratio,
  };
}

/** What the log really writes for these items, taken from its database. */
async function recordedRows(dir: string): Promise<Rows> {
  const box = await createBox({ dir, link: false, control: false });
  await publishMany(box, 100, 5000);
  const path = (await box.status()).dir;
  await box.close();
  const database = await openLog(path);
  const found = new Map<string, [Buffer, Buffer][]>();
  for await (const row of database.iterator()) {
    const kind = String.fromCharCode(row[0][0] ?? 0);
    found.set(kind, [...found.get(kind)?.splice(0) ?? [], row]);
  }
  await database.close();
  const [records = [], index = [], commits = [], topics = []] = ['r', 't', 'b', 'T'].map((kind) => found.get(kind));
  const [topic] = topics;
  if (records.length < 5000 || index.length < 5000 || !commits[0] || !topic) throw new Error('the log writes other rows than this bench knows');
  return { records, index, commits, topic };
}

async function openLog(dir: string): Promise<Level<Buffer, Buffer>> {
  const database = new Level<Buffer, Buffer>(join(dir, 'log'), { keyEncoding: 'buffer', valueEncoding: 'buffer', createIfMissing: false });
  await database.open();
  return database;
}

/** Publishes a second, `inFlight` at once. */
async function publishMany(box: Box, inFlight: number, count: number, waits?: number[]): Promise<number> {
  let next = 0;
  const begin = performance.now();
  await Promise.all(Array.from({ length: inFlight }, async () => {
    while (next < count) {
      const asked = performance.now();
      await box.publish('bench/topic', { n: next++, pad: PAD });
      waits?.push(performance.now() - asked);
    }
  }));
  return count / (performance.now() - begin) * 1000;
}

let written = 0;

/** Records written a second by one batch after the other, each synced. */
async function writeMany(database: Level<Buffer, Buffer>, rows: Rows, perBatch: number, count: number): Promise<number> {
  const begin = performance.now();
  for (let done = 0; done < count; done += perBatch) {
    const batch = database.batch();
    for (let i = 0; i < perBatch; i++) {
      written++;
      const record = rows.records[written % rows.records.length];
      const index = rows.index[written % rows.index.length];
      if (record) batch.put(renumbered(record[0]), record[1]);
      if (index) batch.put(renumbered(index[0]), index[1]);
    }
    const commit = rows.commits[written % rows.commits.length];
    if (commit) batch.put(renumbered(commit[0]), commit[1]);
    batch.put(...rows.topic);
    await batch.write({ sync: true });
  }
  return count / (performance.now() - begin) * 1000;
}

/** The key with its last four bytes set to a number that was not used yet. */
function renumbered(key: Buffer): Buffer {
  const copy = Buffer.from(key);
  copy.writeUInt32BE(written, copy.length - 4);
  return copy;
}

/** From the call of publish to the live subscriber, at a steady 200 a second, against one synced batch of the same rows. */
async function latency(box: Box, bare: Level<Buffer, Buffer>, rows: Rows): Promise<Row[]> {
  const ours: number[] = [];
  const peer: number[] = [];
  const subscription = box.subscribe('bench/latency');
  await subscription.ready;
  for (let n = 0; n < 1000; n++) {
    const next = subscription.next();
    const begin = performance.now();
    const published = box.publish('bench/latency', { n, pad: PAD });
    await next;
    ours.push(performance.now() - begin);
    await published;
    const start = performance.now();
    await writeMany(bare, rows, 1, 1);
    peer.push(performance.now() - start);
    await new Promise((resolve) => { setTimeout(resolve, 2); });
  }
  await subscription.close();
  return ([['p50', 0.5], ['p99', 0.99]] as const).map(([name, share]) => ({
    what: `publish to live subscriber, ${name}, against one synced batch`,
    ours: inMs(percentile(ours, share)), peer: inMs(percentile(peer, share)), ratio: percentile(ours, share) / percentile(peer, share),
  }));
}
