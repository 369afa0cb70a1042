// A box that is opened, says something at a given moment and is closed again, as often as it is told. Runs against the
// build, because a child process runs JavaScript.
//   node calling-box.mjs '{"dir": …, "name": …, "peer": …}'
// Orders, a JSON object a line: {"open": true}, {"say": [texts], "at": ms}, {"close": true}. Each is answered with itself when it is
// done; between them come {"heard": text}, as it is taken from the inbox.
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';

const { dir, name, peer } = JSON.parse(process.argv[2] ?? '{}');
const { createBox } = await import(new URL('../../dist/src/index.js', import.meta.url));
const tell = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
let box;
let listening;

async function listen(messages) {
  for await (const { body } of messages) tell({ heard: body });
}

for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line);
  if (order.open) {
    box = await createBox({ dir, name, control: false });
    listening = listen(box.messages({ name: 'all' })).catch(() => undefined); // the box was closed
    for await (const event of box.peers.watch()) if (event.type !== 'down' && event.peer.name === peer) break;
  }
  if (order.say) {
    await pause(order.at - Date.now());
    const receipts = await Promise.all(order.say.map((text) => box.send(`link:${peer}`, text)));
    await Promise.all(receipts.map(({ delivered }) => delivered));
  }
  if (order.close) {
    await box.close();
    await listening;
  }
  tell(order);
}
