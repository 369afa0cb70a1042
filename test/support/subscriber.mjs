// A box, a durable reader attached to one, or both in one process, until it is killed. Runs against the build,
// because a child process runs JavaScript.
//   node subscriber.mjs '{"dir": …, "box": true, "read": {"filter": …, "options": {…}, "nack": 0.1, "bad": [values it dies of]}}'
// Lines: {"open"}, {"ready"}, {"got", "redelivered"} before it is confirmed, {"acked"} or {"nacked"}, {"closed"}.
// On standard input: `close` has it close its reader and end; `publish FROM TO [TOPIC]` has the box publish those numbers, to `work` unless it says where.
import { writeSync } from 'node:fs';
import { createInterface } from 'node:readline';

const { dir, box: isBox = false, read } = JSON.parse(process.argv[2] ?? '{}');
const { createBox, attachBox } = await import(new URL('../../dist/src/index.js', import.meta.url));
const say = (line) => writeSync(1, `${JSON.stringify(line)}\n`);

const box = isBox ? await createBox({ dir, link: false, name: 'test' }) : await attachBox({ dir });
say({ open: true });
const subscription = read && box.subscribe(read.filter, { ack: 'manual', ...read.options });
let closing = false;

async function obey(line) {
  const [word, from, to, topic = 'work'] = line.split(' ');
  if (word === 'publish') {
    // The id makes it harmless to say it again after a crash.
    await Promise.all(Array.from({ length: Number(to) - Number(from) }, (_, i) => box.publish(topic, Number(from) + i, { id: `n${Number(from) + i}` })));
    say({ published: Number(to), topic });
  } else {
    closing = true;
    await subscription?.close();
    say({ closed: true });
    await box.close();
    process.exit(0);
  }
}
createInterface({ input: process.stdin }).on('line', (line) => void obey(line));

if (subscription) {
  await subscription.ready;
  say({ ready: true });
  try {
    for await (const item of subscription) {
      if (item.kind !== 'item') continue;
      say({ got: item.value, redelivered: item.redelivered });
      if (read.bad?.includes(item.value)) process.kill(process.pid, 'SIGKILL');
      await new Promise((resolve) => { setImmediate(resolve); });
      if (closing) break;
      if (Math.random() < (read.nack ?? 0)) {
        item.nack();
        say({ nacked: item.value });
      } else {
        item.ack();
        say({ acked: item.value });
      }
    }
  } catch (error) {
    // The box went.
    if (!closing) say({ failed: error.code });
  }
}
