// A box with an editor in a process of its own: node one-editor.mjs DIR. Prints one JSON object per line;
// a line on standard input is a command: `throw`, `close`.
import { createInterface } from 'node:readline';
import { createBox } from '../../dist/src/index.js';
import { startEditor } from '../../dist/src/editor/editor.js';

const say = (object) => process.stdout.write(`${JSON.stringify(object)}\n`);
const dir = process.argv[2];
const box = await createBox({ dir, link: false, control: false });
const editor = await startEditor({ box, dir, port: 0, trouble: (trouble) => say({ trouble }) });
say({ url: editor.url });
const lines = createInterface({ input: process.stdin });
lines.on('line', (line) => {
  if (line === 'throw') setImmediate(() => { throw new Error('thrown on purpose'); });
  if (line === 'close') {
    lines.close();
    process.stdin.unref?.();
    void Promise.all([editor.close(), editor.close()]).then(() => box.close()).then(() => say({ closed: true }));
  }
});
