// A process that hears all of multicast DNS on its host's link and keeps count, by sender.
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { decodeMessage } from '../../../src/mdns/decode.ts';

interface Count { queries: number; knownAnswers: number; responses: number; answers: number; bytes: number; longest: number }
const counts = new Map<string, Count>();
function hear(bytes: Buffer, { address }: { readonly address: string }): void {
  const count = counts.get(address) ?? { queries: 0, knownAnswers: 0, responses: 0, answers: 0, bytes: 0, longest: 0 };
  counts.set(address, count);
  const { response, answers } = decodeMessage(bytes);
  if (response) {
    count.responses++;
    count.answers += answers.length;
  } else {
    count.queries++;
    count.knownAnswers += answers.length;
  }
  count.bytes += bytes.length;
  count.longest = Math.max(count.longest, bytes.length);
}
async function listen(socket: Socket, group: string, on: string | undefined): Promise<void> {
  socket.on('message', hear).bind(5353);
  await once(socket, 'listening');
  socket.addMembership(group, on);
  socket.setRecvBufferSize(4 << 20);
}
await listen(createSocket({ type: 'udp4', reuseAddr: true }), '224.0.0.251', process.argv[2]);
await listen(createSocket({ type: 'udp6', reuseAddr: true, ipv6Only: true }), 'ff02::fb', '::%eth0');
process.stdout.write('{"event":"ready"}\n');
createInterface({ input: process.stdin }).on('line', () => {
  process.stdout.write(`${JSON.stringify({ event: 'counts', counts: Object.fromEntries(counts) })}\n`);
  counts.clear();
}).on('close', () => process.exit(0));
