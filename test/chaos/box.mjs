// A box's log and its homes, in a process that can be killed. Runs against the build, because a child process runs JavaScript.
//   node box.mjs '{"dir": …}'
// One JSON object a line: commands on stdin, each with `do` and `re`, answered on stdout by one with `re`; `acked` as items are accepted.
//   add {options} · publish {topic, from, to, chosen} · status · settle · full {on} · dump {filter} · stop
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';

const { dir } = JSON.parse(process.argv[2] ?? '{}');
const dist = new URL('../../dist/src/', import.meta.url);
const from = (file) => import(new URL(file, dist));
const [{ openLog }, { LevelDatabase }, { createSystemClock }, { createHomes, HOME_LIMITS }, { Broker }, { toPayload }] = await Promise.all([
  from('log/log.js'), from('log/level-database.js'), from('clock.js'), from('home/homes.js'), from('pubsub/broker.js'), from('payload/payload.js'),
]);

const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const trouble = ({ kind, message }) => say({ trouble: kind, message });
const system = createSystemClock();
// What is acknowledged settles after a minute: the minute is passed at once when somebody asks for it.
let passed = 0;
const clock = { ...system, wall: () => system.wall(), mono: () => system.mono() + passed, isSet: () => true, after: (ms, call) => system.after(ms, call), every: (ms, call) => system.every(ms, call) };

let full = false;
class Disk extends LevelDatabase {
  free() { return full ? Promise.resolve(0) : super.free(); }
}
const log = await openLog({ database: new Disk(dir), clock, boxId: process.argv[3], trouble, limits: {} });
const broker = new Broker({ log, clock, trouble, may: () => false, limits: { itemBytes: 131_072, topics: 1000, subscriptions: 100 } });
const homes = createHomes({ log, broker, clock, trouble, boxId: log.boxId, limits: { rescan: 1_000, again: 250 }, random: () => 0.05, timing: { ask: 500, idle: 2_000, silence: 8_000 } });
await homes.start();

async function publish({ topic, from: first, to, chosen }) {
  const one = async (n) => {
    for (;;) {
      try {
        const { recordId } = await log.append({ topic, kind: 'publish', payload: toPayload({ n, text: 'x<&>\u00e9\u{1f600}'.repeat(4) }), ...(chosen ? { id: `n${n}` } : {}) });
        say({ acked: n, recordId });
        return;
      } catch (error) {
        if (error.code !== 'disk-full' && error.code !== 'busy') throw error;
        say({ refused: n });
        await pause(50); // a program tries again a little later
      }
    }
  };
  for (let n = first; n < to; n += 16) {
    await Promise.all(Array.from({ length: Math.min(16, to - n) }, (_, i) => one(n + i)));
    await pause(20);
  }
}

async function dump({ filter }) {
  const cursor = await log.cursor({ name: `dump ${Date.now()}`, filter, from: 'start', durable: false });
  const all = [];
  for (;;) {
    const page = await cursor.next(256);
    if (page.length === 0) break;
    for (const { record } of page) if (record.kind === 'publish') all.push([record.topic, record.recordId]);
    for (const { record } of page) cursor.done(record.seq);
  }
  await cursor.close();
  return all;
}

const commands = {
  add: ({ options }) => homes.add(options),
  publish, dump,
  configure: ({ topic }) => log.append({ topic, kind: 'configure', config: { maxItems: 1_000_000 } }).then(() => undefined),
  status: async () => ({ homes: await homes.list(), state: log.state, head: log.head }),
  settle: async () => { passed += HOME_LIMITS.settle + 1_000; },
  full: async ({ on }) => { full = on; },
  stop: async () => {
    await homes.close();
    await log.close();
  },
};
say({ ready: true });
for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  commands[command.do](command).then((answer) => say({ re: command.re, answer: answer ?? null }), (error) => say({ re: command.re, error: String(error.stack) }))
    .finally(() => { if (command.do === 'stop') process.exit(0); });
}
