// Appends until it is killed, and says on stdout what was acknowledged. Runs against the build,
// because a child process runs JavaScript.
//   node log-writer.mjs '{"dir": …, "run": 1, "inFlight": 64, "bytes": 100, "churn": true, "mixed": true, "count": 0, "memtableBytes": 65536, "serves": true, "limits": {…}}'
// Lines: `opening`, `open <head>`, `<run> <n> <seq>` for each acknowledged append, `refused <code>`,
// `trouble <kind>`, `failed <code> <message>` when it cannot be opened, `closing`, `done`. With `serves`, after the first refusal and
// once: `served <n> <due> <missing>`, records of keep/# that a reader got while all else was refused, how many had been acknowledged, and those of
// them that it did not get at all. With `mixed`
// also, of a durable reader of all that, `confirmed <seq>…` before it confirms; of a topic configured again and again
// `configured <n>`; of subscriptions made and dropped `makes|made|drops|dropped <name>`, before and after.
import { writeSync } from 'node:fs';

const options = JSON.parse(process.argv[2] ?? '{}');
const dist = new URL('../../dist/src/', import.meta.url);
const { openLog } = await import(new URL('log/log.js', dist));
const { LevelDatabase } = await import(new URL('log/level-database.js', dist));
const { createSystemClock } = await import(new URL('clock.js', dist));

const say = (line) => writeSync(1, `${line}\n`);
const { dir, run, inFlight = 64, bytes = 100, churn = false, mixed = false, count = Infinity, topics = 4, memtableBytes, serves = false, limits = {} } = options;

say('opening');
const log = await openLog({ database: new LevelDatabase(dir, memtableBytes), clock: createSystemClock(), boxId: 'abcdefghijklmnop', trouble: (t) => say(`trouble ${t.kind}`), limits }).catch((error) => {
  say(`failed ${error.code} ${error.message}`);
  process.exit(1);
});
say(`open ${log.head}`);

const acked = new Set();
let served = !serves;
/** Reads all there is, and says how much of it while the log was refusing. */
async function serve() {
  served = true;
  const missing = new Set(acked);
  const due = missing.size;
  let refusing = 0;
  const cursor = await log.cursor({ name: 'served', filter: 'keep/#', from: 'start', durable: false });
  for (let page = await cursor.next(200); page.length > 0; page = await cursor.next(200)) {
    if (log.state === 'refusing') refusing += page.length;
    for (const { record } of page) {
      missing.delete(record.seq);
      cursor.done(record.seq);
    }
  }
  await cursor.close();
  say(`served ${refusing} ${due} ${missing.size}`);
}

let n = 0;
const filler = 'x'.repeat(bytes / 2);
async function produce() {
  while (n < count) {
    const mine = ++n;
    const payload = { contentType: 'text/plain', bytes: Buffer.from(`${run} ${mine} ${filler} ${run} ${mine} ${filler} ${run} ${mine}.`) };
    try {
      const { seq } = await log.append({ topic: `keep/${mine % topics}`, kind: 'publish', payload });
      say(`${run} ${mine} ${seq}`);
      if (serves) acked.add(seq);
    } catch (error) {
      say(`refused ${error.code}`);
      if (!served) await serve();
      await new Promise((resolve) => { setTimeout(resolve, 20); }); // a program tries again a little later
    }
  }
}
/** While the disk takes nothing it tries again. */
async function keepsOn(what) {
  for (;;) {
    try {
      return await what();
    } catch (error) {
      if (error.code !== 'disk-full') throw error;
      await new Promise((resolve) => { setTimeout(resolve, 20); });
    }
  }
}
/** Something to trim, all the time. */
async function produceChurn() {
  await keepsOn(() => log.append({ topic: 'churn', kind: 'configure', config: { maxItems: 10 } }));
  for (let i = 0; ; i++) {
    if (n >= count) break;
    const payload = { contentType: 'text/plain', bytes: Buffer.from(filler) };
    await keepsOn(() => log.append({ topic: 'churn', kind: 'publish', payload, ...(i % 3 === 0 && { id: `id${i % 7}` }) }));
    if (i % 20 === 0) await log.trim();
  }
}
const ended = () => n >= count;
/** Confirms a page late and in no order, but for some that it gives back. */
async function read() {
  const cursor = await log.cursor({ name: 'reader', filter: 'keep/#', from: 'start', durable: true });
  while (!ended()) {
    const page = await cursor.next(50);
    if (page.length === 0) {
      await cursor.wait(AbortSignal.timeout(50));
      continue;
    }
    const seqs = page.map(({ record }) => record.seq);
    const back = new Set(seqs.filter((seq) => seq % 37 === 0 && Math.random() < 0.5));
    const confirmed = seqs.filter((seq) => !back.has(seq)).toSorted((a, b) => (a * 7) % 50 - (b * 7) % 50);
    if (confirmed.length > 0) say(`confirmed ${confirmed.join(' ')}`);
    for (const seq of confirmed) cursor.done(seq);
    for (const seq of back) cursor.again(seq, 5);
  }
  await cursor.close();
}
async function configure() {
  for (let i = log.topic('configured')?.settings.maxItems ?? 1; !ended(); i++) {
    await log.append({ topic: 'configured', kind: 'configure', config: { maxItems: i } });
    say(`configured ${i}`);
    await log.append({ topic: 'configured', kind: 'publish', payload: { contentType: 'text/plain', bytes: Buffer.from(filler) } });
  }
}
/** Items that replace each other, that are taken back, and that go with all the others. */
async function replace() {
  for (let i = 0; !ended(); i++) {
    const id = `id${i % 11}`;
    await log.append({ topic: 'replaced', kind: 'publish', id, payload: { contentType: 'text/plain', bytes: Buffer.from(`${i}`) } });
    if (i % 5 === 0) await log.append({ topic: 'replaced', kind: 'retract', id });
    if (i % 97 === 0) await log.append({ topic: 'replaced', kind: i % 2 === 0 ? 'purge' : 'delete' });
  }
}
async function subscribe(worker) {
  for (let i = 0; !ended(); i++) {
    const name = `temp${worker}-${i % 3}`;
    if (!log.hasCursor(name)) {
      say(`makes ${name}`);
      const cursor = await log.cursor({ name, filter: i % 2 === 0 ? 'keep/#' : 'keep/1', from: 'new', durable: true });
      say(`made ${name}`);
      for (const { record } of await cursor.next(5)) cursor.done(record.seq);
      await cursor.close();
    }
    if (i % 3 === 2) continue;
    say(`drops ${name}`);
    await log.dropCursor(name);
    say(`dropped ${name}`);
  }
}
const others = mixed ? [read(), configure(), replace(), subscribe(0), subscribe(1)] : [];
await Promise.all([...others, ...Array.from({ length: inFlight }, produce), ...(churn ? Array.from({ length: 4 }, produceChurn) : [])]);
say('closing');
await log.close();
say('done');
