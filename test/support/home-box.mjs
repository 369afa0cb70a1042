// A box with one home, publishing until it is killed, and saying on stdout what was acknowledged. Runs against
// the build, because a child process runs JavaScript.
//   node home-box.mjs '{"dir": …, "from": 1, "account": {…}}'; up to and without `to`, if given
// Lines: `open`, then `<n>` for each item that is in both topics.
import { writeSync } from 'node:fs';

const { dir, from, to = Infinity, account } = JSON.parse(process.argv[2] ?? '{}');
const dist = new URL('../../dist/src/', import.meta.url);
const { openLog } = await import(new URL('log/log.js', dist));
const { LevelDatabase } = await import(new URL('log/level-database.js', dist));
const { createSystemClock } = await import(new URL('clock.js', dist));
const { createHomes } = await import(new URL('home/homes.js', dist));
const { toPayload } = await import(new URL('payload/payload.js', dist));

const clock = createSystemClock();
const trouble = () => {};
const log = await openLog({ database: new LevelDatabase(dir), clock, boxId: 'aaaabbbbccccdddd', trouble });
const homes = createHomes({ log, clock, trouble, boxId: log.boxId, limits: { settle: 200 }, random: () => 0 });
await homes.start();
if ((await homes.list()).length === 0) await homes.add({ ...account, topics: ['#'] });
writeSync(1, 'open\n');
for (let n = from; n < to; n++) {
  await Promise.all(['bad', 'good'].map((topic) => log.append({ topic, kind: 'publish', payload: toPayload(n) })));
  writeSync(1, `${n}\n`);
  await new Promise((resolve) => { setTimeout(resolve, 2); });
}
