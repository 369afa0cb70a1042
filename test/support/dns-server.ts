import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { decodeMessage } from '../../src/mdns/decode.ts';
import { encodeMessage } from '../../src/mdns/encode.ts';
import { type DnsRecord, makeMessage } from '../../src/mdns/message.ts';
import { sameName } from '../../src/mdns/name.ts';

/** A DNS server of this machine, over UDP and TCP, that says what its records say. */
export interface DnsServer extends AsyncDisposable {
  /** As the option `dns` takes it. */
  readonly address: string;
  records: readonly DnsRecord[];
  /** Over UDP it answers only that the answer is too long. */
  truncates: boolean;
  /** It answers nothing at all. */
  silent: boolean;
  /** Names and types that it was asked for. */
  readonly asked: string[];
}

export async function createDnsServer(records: readonly DnsRecord[] = []): Promise<DnsServer> {
  const answer = (bytes: Uint8Array, isTruncated: boolean): Buffer | undefined => {
    const { id, questions } = decodeMessage(bytes);
    const [question] = questions;
    if (!question || server.silent) return undefined;
    server.asked.push(`${question.name} ${question.type}`);
    const found = isTruncated ? [] : server.records.filter(({ name, type }) => sameName(name, question.name) && type === question.type);
    const known = server.records.some(({ name }) => sameName(name, question.name));
    return encodeMessage(makeMessage({ id, response: true, truncated: isTruncated, rcode: known ? 0 : 3, questions, answers: found.map((record) => ({ ...record, flush: false })) }), { compressTargets: false }); // RFC 2782: of an SRV record's target there is no compression
  };
  const [tcp, udp] = await onePort();
  udp.on('message', (bytes, from) => {
    const said = answer(bytes, server.truncates);
    if (said) udp.send(said, from.port, from.address);
  });
  tcp.on('connection', (socket) => {
    socket.once('data', (bytes) => {
      const said = answer(bytes.subarray(2), false);
      if (said) socket.end(Buffer.concat([Buffer.of(said.length >> 8, said.length & 0xff), said]));
    });
    socket.on('error', () => undefined); // whoever asked has gone
  });
  const server: DnsServer = {
    address: `127.0.0.1:${udp.address().port}`, records, truncates: false, silent: false, asked: [],
    async [Symbol.asyncDispose]() {
      udp.close();
      tcp.close();
    },
  };
  return server;
}

/** A port that is free for TCP may be taken for UDP. */
async function onePort(): Promise<[Server, Socket]> {
  for (let tries = 0; tries < 20; tries += 1) {
    const tcp = createServer();
    const udp = createSocket('udp4');
    tcp.listen(0, '127.0.0.1');
    await once(tcp, 'listening');
    const bound = tcp.address();
    udp.bind(typeof bound === 'object' && bound ? bound.port : 0, '127.0.0.1');
    try {
      await once(udp, 'listening');
      return [tcp, udp];
    } catch {
      tcp.close(); // somebody has that port for UDP: another
    }
  }
  throw new Error('no port is free for both TCP and UDP');
}
