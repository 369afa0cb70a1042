// A box that speaks for a device with an address of its own, writing until it is killed. Runs against the build.
//   node device-box.mjs '{"dir": …, "to": "xmpp:…", "from": 0, "count": 100}'
// Lines: `open`, then `<n>` for each message that is accepted.
import { writeSync } from 'node:fs';

const { dir, to, from, count } = JSON.parse(process.argv[2] ?? '{}');
const { createBox } = await import(new URL('../../dist/src/index.js', import.meta.url));
const box = await createBox({ dir, link: false });
writeSync(1, 'open\n');
for (let n = from; n < from + count; n++) {
  await box.send(to, `no ${n}`, { id: `m${n}`, device: 'boiler' });
  writeSync(1, `${n}\n`);
}
