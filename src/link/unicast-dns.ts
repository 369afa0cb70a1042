// Unicast DNS as DNS-SD needs it (RFC 1035, RFC 6763 §11): instance names are free text, which Node's own resolver
// refuses to ask about. The codec is that of multicast DNS.
import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { getServers } from 'node:dns';
import { connect, isIP } from 'node:net';
import { LanpostError } from '../errors.ts';
import { decodeMessage } from '../mdns/decode.ts';
import { encodeMessage } from '../mdns/encode.ts';
import { CLASS, type DnsRecord, makeMessage, type Message } from '../mdns/message.ts';
import { sameName } from '../mdns/name.ts';
import { type DnsServer, parseServer } from './dns-server.ts';

/** How long one server may take, ms; all of them are asked this often. */
const ANSWER = 2_000;
const ROUNDS = 2;
/** RFC 1035 §4.1.1: no such name. */
const NO_NAME = 3;

export type DnsQuery = (name: string, type: number) => Promise<readonly DnsRecord[]>;

/** Asks the servers in turn; an answer that there is nothing is an answer. `servers`: default the system's. */
export function createDnsQuery(servers?: readonly DnsServer[]): DnsQuery {
  return async (name, type) => {
    let reason: unknown;
    const asked = servers ?? getServers().map(parseServer);
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const server of asked) {
        try {
          return (await ask(server, name, type)).answers.filter((record) => record.type === type && record.class === CLASS.IN);
        } catch (error) {
          reason = error;
        }
      }
    }
    throw new LanpostError('unreachable', `no DNS server says what is at ${name}: ${reason instanceof Error ? reason.message : 'there is none'}`, { cause: reason });
  };
}

async function ask(server: DnsServer, name: string, type: number): Promise<Message> {
  // RFC 5452 §9: what nobody else on the way can guess.
  const id = randomInt(0x1_0000);
  const bytes = encodeMessage(makeMessage({ id, questions: [{ name, type, class: CLASS.IN, unicast: false }] }));
  bytes[2] = (bytes[2] ?? 0) | 0x01; // RFC 1035 §4.1.1: recursion desired
  const fits = ({ id: theirs, response, questions: [question] }: Message): boolean => theirs === id && response && question?.type === type && sameName(question.name, name);
  const short = await overUdp(server, bytes, fits);
  const answer = short.truncated ? await overTcp(server, bytes) : short;
  if (!fits(answer)) throw new Error('another answer than was asked for');
  if (answer.rcode !== 0 && answer.rcode !== NO_NAME) throw new Error(`${server.address} answers with error ${answer.rcode}`);
  return answer;
}

function overUdp({ address, port }: DnsServer, query: Buffer, fits: (message: Message) => boolean): Promise<Message> {
  return new Promise((resolve, reject) => {
    const socket = createSocket(isIP(address) === 6 ? 'udp6' : 'udp4');
    const over = (settle: () => void): void => {
      clearTimeout(timer);
      socket.close();
      settle();
    };
    const timer = setTimeout(() => over(() => reject(new Error(`${address} does not answer`))), ANSWER);
    socket.once('error', (error) => over(() => reject(error)));
    socket.on('message', (bytes) => {
      const message = readable(bytes);
      if (message && fits(message)) over(() => resolve(message));
    });
    // Connected, so that only that server is heard.
    socket.connect(port, address, () => socket.send(query));
  });
}

/** RFC 1035 §4.2.2: two bytes of length in front. */
function overTcp({ address, port }: DnsServer, query: Buffer): Promise<Message> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: address, port });
    const fail = (error: Error): void => {
      socket.destroy();
      reject(error);
    };
    socket.setTimeout(ANSWER, () => fail(new Error(`${address} does not answer`)));
    socket.once('error', fail);
    socket.once('end', () => fail(new Error(`${address} hung up`)));
    const length = Buffer.alloc(2);
    length.writeUInt16BE(query.length);
    socket.once('connect', () => socket.write(Buffer.concat([length, query])));
    let read = Buffer.alloc(0);
    socket.on('data', (bytes: Buffer) => {
      read = Buffer.concat([read, bytes]);
      if (read.length < 2 || read.length < 2 + read.readUInt16BE(0)) return;
      const message = readable(read.subarray(2, 2 + read.readUInt16BE(0)));
      socket.destroy();
      if (message) resolve(message);
      else reject(new Error(`${address} answers what cannot be read`));
    });
  });
}

function readable(bytes: Buffer): Message | undefined {
  try {
    return decodeMessage(bytes);
  } catch {
    return undefined; // it counts as none
  }
}
