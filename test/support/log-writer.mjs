// Appends until it is killed, and says on stdout what was acknowledged. Runs against the build,
// because a child process runs JavaScript.
//   node log-writer.mjs '{"dir": …, "run": 1, "inFlight": 64, "bytes": 100, "churn": true, "count": 0, "limits": {…}}'
// Lines: `opening`, `open <head>`, `<run> <n> <seq>` for each acknowledged append, `refused <code>`, `done`.
import { writeSync } from 'node:fs';

const options = JSON.parse(process.argv[2] ?? '{}');
const dist = new URL('../../dist/src/', import.meta.url);
const { openLog } = await import(new URL('log/log.js', dist));
const { LevelDatabase } = await import(new URL('log/level-database.js', dist));
const { createSystemClock } = await import(new URL('clock.js', dist));

const say = (line) => writeSync(1, `${line}\n`);
const { dir, run, inFlight = 64, bytes = 100, churn = false, count = Infinity, topics = 4, limits = {} } = options;

say('opening');
const log = await openLog({ database: new LevelDatabase(dir), clock: createSystemClock(), boxId: 'abcdefghijklmnop', trouble: (t) => say(`trouble ${t.kind}`), limits });
say(`open ${log.head}`);

let n = 0;
const filler = 'x'.repeat(bytes);
async function produce() {
  while (n < count) {
    const mine = ++n;
    const payload = { contentType: 'text/plain', bytes: Buffer.from(`${run} ${mine} ${filler} ${run} ${mine}.`) };
    try {
      const { seq } = await log.append({ topic: `keep/${mine % topics}`, kind: 'publish', payload });
      say(`${run} ${mine} ${seq}`);
    } catch (error) {
      say(`refused ${error.code}`);
      await new Promise((resolve) => { setTimeout(resolve, 20); }); // a program tries again a little later
    }
  }
}
/** Something to trim, all the time. */
async function produceChurn() {
  await log.append({ topic: 'churn', kind: 'configure', config: { maxItems: 10 } });
  for (let i = 0; ; i++) {
    if (n >= count) break;
    const payload = { contentType: 'text/plain', bytes: Buffer.from(filler) };
    await log.append({ topic: 'churn', kind: 'publish', payload, ...(i % 3 === 0 && { id: `id${i % 7}` }) });
    if (i % 20 === 0) await log.trim();
  }
}
await Promise.all([...Array.from({ length: inFlight }, produce), ...(churn ? Array.from({ length: 4 }, produceChurn) : [])]);
await log.close();
say('done');
