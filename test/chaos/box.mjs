// A whole box without a link, in a process that can be killed. Runs against the build, because a child process runs JavaScript.
//   node box.mjs '{"dir": …}'
// One JSON object a line: commands on stdin, each with `do` and `re`, answered on stdout by one with `re`; `acked` as items are accepted,
// `got` as its durable reader of everything is handed them.
//   add {options} · create {topic} · publish {topic, from, to, chosen} · status · settle · dump · losses · stop
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { numberOf, readingOf } from './reading.mjs';

const { dir } = JSON.parse(process.argv[2] ?? '{}');
const dist = new URL('../../dist/src/', import.meta.url);
const from = (file) => import(new URL(file, dist));
const [{ createBox }, { HOME_LIMITS }, { SESSION_TIMING }] = await Promise.all([from('index.js'), from('home/homes.js'), from('home/liveness.js')]);

// What takes minutes takes seconds here: looking for new nodes, noticing a dead link, waiting before another try.
Object.assign(HOME_LIMITS, { rescan: 1_000, again: 250 });
Object.assign(SESSION_TIMING, { ask: 500, idle: 2_000, silence: 8_000 });
const random = Math.random;
Math.random = () => random() / 10;
// What is acknowledged settles after a minute: the minute is passed at once when somebody asks for it.
let passed = 0;
const now = performance.now.bind(performance);
performance.now = () => now() + passed;

const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
// Its disk may fill to the last byte: what then fails is a write.
const box = await createBox({ dir, link: false, control: false, limits: { diskFloor: 0 } });
const telling = (async () => {
  for await (const { kind, message } of box.troubles()) say({ trouble: kind, message });
})();
// Asking for the next item confirms this one: what was said before a kill may come again, and says so.
const reading = (async () => {
  for await (const item of box.subscribe('#', { durable: 'chaos', from: 'start' })) if (item.kind === 'item') say({ got: item.recordId, again: item.redelivered });
})();

async function publish({ topic, from: first, to, chosen }) {
  const one = async (n) => {
    for (;;) {
      try {
        const { recordId } = await box.publish(topic, readingOf(n), chosen ? { id: `n${n}` } : {});
        say({ acked: n, recordId, topic });
        return;
      } catch (error) {
        if (error.code !== 'disk-full' && error.code !== 'busy') throw error;
        say({ refused: n, code: error.code });
        await pause(50); // a program tries again a little later
      }
    }
  };
  for (let n = first; n < to; n += 16) {
    await Promise.all(Array.from({ length: Math.min(16, to - n) }, (_, i) => one(n + i)));
    await pause(20);
  }
}

/** What a topic holds, in the order of the log. */
async function* held(topic) {
  for (let after = 0; ;) {
    const page = await box.items(topic, { after, limit: 1000 });
    for (const item of page) if (item.kind === 'item') yield item;
    if (page.length === 0) return;
    after = page.at(-1).seq;
  }
}

async function dump() {
  const all = [];
  for (const { name } of await box.topics.list('#')) for await (const { topic, recordId, value } of held(name)) all.push([topic, recordId, numberOf(value)]);
  return all;
}

/** What `lanpost ledger` prints. */
async function losses() {
  const lines = [];
  for await (const { value } of held('$ledger')) lines.push(value);
  return lines;
}

const commands = {
  add: ({ options }) => box.homes.add(options),
  create: ({ topic }) => box.topics.create(topic, { maxItems: 1_000_000 }).then(() => undefined),
  publish, dump, losses,
  status: () => box.status(),
  settle: async () => { passed += HOME_LIMITS.settle + 1_000; },
  stop: () => box.close().then(() => Promise.all([telling, reading])),
};
say({ ready: true, box: (await box.status()).box });
for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  commands[command.do](command).then((answer) => say({ re: command.re, answer: answer ?? null }), (error) => say({ re: command.re, error: String(error.stack) }))
    .finally(() => { if (command.do === 'stop') process.exit(0); });
}
