// A DNS server in a process of its own, for a host of a LAN: says over UDP what its records say.
// Argument: JSON { address, records: [{ name, type, ttl, data }] }, as the codec has them; of TXT, `data` is { text: pairs }.
import { createSocket } from 'node:dgram';
import { decodeMessage } from '../../dist/src/mdns/decode.js';
import { encodeMessage } from '../../dist/src/mdns/encode.js';
import { makeMessage } from '../../dist/src/mdns/message.js';
import { sameName } from '../../dist/src/mdns/name.js';
import { encodeText } from '../../dist/src/mdns/text.js';

const NO_NAME = 3;
const { address, records: given } = JSON.parse(process.argv[2]);
const records = given.map(({ data, ...record }) => ({
  class: 1, flush: false, ...record, data: data.text ? { kind: 'bytes', bytes: new Uint8Array(encodeText(data.text)) } : data,
}));
const socket = createSocket('udp4');
socket.on('message', (bytes, from) => {
  const { id, questions } = decodeMessage(bytes);
  const [asked] = questions;
  const named = records.filter(({ name }) => asked && sameName(name, asked.name));
  const answers = named.filter(({ type }) => type === asked?.type);
  socket.send(encodeMessage(makeMessage({ id, response: true, rcode: named.length > 0 ? 0 : NO_NAME, questions, answers })), from.port, from.address);
});
socket.bind(53, address, () => process.stdout.write('{"event":"ready"}\n'));
