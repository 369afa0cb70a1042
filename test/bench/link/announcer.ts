// A process that puts announcements on the link, at a rate. Commands on stdin: { op: 'send', from, count, version, rate, packets }.
import { createSocket } from 'node:dgram';
import { createInterface } from 'node:readline';
import { announcement } from './announcements.ts';

const socket = createSocket({ type: 'udp4', reuseAddr: true });
const say = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);
const now = (): number => Number(process.hrtime.bigint() / 1000n);

interface Send { readonly op: 'send'; readonly from?: number; readonly count: number; readonly version: number; readonly rate: number; readonly packets: number }

/** In slices of a millisecond; `rate` 0 is all at once. */
function send({ from = 0, count, version, rate, packets }: Send): void {
  const prepared = Array.from({ length: count }, (_, index) => announcement(from + index, version));
  const times: number[] = [];
  const begun = now();
  const step = (): void => {
    const due = rate === 0 ? packets : Math.min(packets, Math.floor((now() - begun) * rate / 1e6) + 1);
    while (times.length < due) {
      const bytes = prepared[times.length % count];
      if (!bytes) break;
      times.push(now());
      socket.send(bytes, 5353, '224.0.0.251');
    }
    if (times.length < packets) setTimeout(step, 1);
    else say({ event: 'sent', times: packets === count ? times : [], ms: (now() - begun) / 1000 });
  };
  step();
}

socket.bind(5353, '0.0.0.0', () => {
  socket.setMulticastTTL(255);
  socket.setMulticastInterface(process.argv[2] ?? '0.0.0.0');
  say({ event: 'ready' });
});
createInterface({ input: process.stdin }).on('line', (line) => {
  const command = JSON.parse(line) as Send;
  send(command);
}).on('close', () => process.exit(0));
