// A process that offers and browses, for tests that give each host of a LAN one of its own.
// Argument: JSON { host, user, port, txt, publish?, count? }. Commands on stdin and events on stdout, a JSON object a line.
import { createInterface } from 'node:readline';
import { createSystemClock } from '../../dist/src/clock.js';
import { createMdns } from '../../dist/src/mdns/mdns.js';
import { createSocketNetwork } from '../../dist/src/mdns/socket-network.js';
import { decodeText } from '../../dist/src/mdns/text.js';

const TYPE = '_presence._tcp';
const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const options = JSON.parse(process.argv[2] ?? '{}');
const mdns = createMdns({
  network: createSocketNetwork(), clock: createSystemClock(), host: options.host ?? 'box',
  trouble: (trouble) => say({ event: 'trouble', ...trouble }),
});
const startedAt = performance.now();
const publications = [];
for (let index = 0; index < (options.count ?? 1) && options.publish !== false; index++) {
  const user = options.count === undefined ? options.user ?? 'box' : `${options.user ?? 'box'}${index}`;
  publications.push(mdns.publish({
    user, type: TYPE, port: options.port ?? 5298, txt: options.txt ?? [['txtvers', '1'], ['status', 'avail']],
    onRenamed: (renamed) => say({ event: 'renamed', ...renamed }),
  }));
}
const tellPublished = async () => {
  await Promise.all(publications.map(({ published }) => published));
  say({ event: 'published', ms: Math.round(performance.now() - startedAt), instance: publications[0]?.instance, host: publications[0]?.host });
};
void tellPublished();
let up = 0;
const browsing = mdns.browse(TYPE, ({ type, service }) => {
  if (type === 'up') up++;
  if (type === 'down') up--;
  if (!options.quiet) say({ event: type, ms: Math.round(performance.now() - startedAt), ...service, txt: Object.fromEntries(decodeText(service.text)) });
});
const commands = {
  update: ({ txt }) => publications[0]?.update(txt),
  reconfirm: ({ instance }) => browsing.reconfirm(instance),
  state: () => say({
    event: 'state', up, cpu: process.cpuUsage(), rss: process.memoryUsage.rss(), instance: publications[0]?.instance, host: publications[0]?.host,
    interfaces: mdns.interfaces().map(({ name }) => name), ...mdns.state(),
  }),
  close: () => mdns.close().then(() => process.exit(0)),
};
createInterface({ input: process.stdin }).on('line', (line) => {
  const command = JSON.parse(line);
  void commands[command.op]?.(command);
}).on('close', () => void commands.close());
say({ event: 'ready' });
