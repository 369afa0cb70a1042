// A client that publishes in a closed loop, as fast as it is answered: raw MQTT 3.1.1 QoS 1, and raw XEP-0060 over an
// XEP-0174 stream with TLS. Runs in a host of its own; orders come on stdin, one JSON object a line, answers go to stdout.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { connect as secure } from 'node:tls';

interface Order { readonly kind: 'mqtt' | 'stream'; readonly inFlight: number; readonly count: number }
interface Config {
  readonly mqtt: { readonly host: string; readonly port: number };
  readonly stream: { readonly host: string; readonly port: number; readonly from: string; readonly to: string; readonly key: string; readonly cert: string };
}

/** Publishes number n; calls `answered` once for each answer that comes back. */
interface Client { publish(n: number): void; flush(): void }

const PAD = 'x'.repeat(80);
const payload = (n: number): string => `{"n":${n},"pad":"${PAD}"}`;

async function mqttClient(socket: Socket, answered: () => void): Promise<Client> {
  const id = Buffer.from(`bench${process.pid}`);
  const hello = Buffer.concat([Buffer.from([0, 4]), Buffer.from('MQTT'), Buffer.from([4, 2, 0, 0, 0, id.length]), id]);
  socket.write(Buffer.concat([Buffer.from([0x10, hello.length]), hello]));
  const topic = Buffer.from('bench/topic');
  let out: Buffer[] = [];
  let rest: Buffer = Buffer.alloc(0);
  const client: Client = {
    publish(n) {
      const body = Buffer.from(payload(n));
      const length = 2 + topic.length + 2 + body.length;
      const head = Buffer.from([0x32, (length & 127) | 128, length >> 7, 0, topic.length]);
      const packet = 1 + n % 65_535;
      out.push(head, topic, Buffer.from([packet >> 8, packet & 255]), body);
    },
    flush() {
      if (out.length > 0) socket.write(Buffer.concat(out));
      out = [];
    },
  };
  socket.on('data', (data) => {
    rest = rest.length > 0 ? Buffer.concat([rest, data]) : data;
    while (rest.length >= 4) { // CONNACK and PUBACK both have four bytes
      if (rest[0] === 0x40) answered();
      else if (rest[0] !== 0x20) throw new Error(`MQTT packet ${rest[0]} was not expected`);
      rest = rest.subarray(4);
    }
    client.flush();
  });
  await once(socket, 'data'); // its CONNACK
  return client;
}

async function streamClient(plain: Socket, config: Config['stream'], answered: () => void): Promise<Client> {
  const header = `<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' from='${config.from}' to='${config.to}' version='1.0'>`;
  const until = (socket: Socket, what: RegExp): Promise<void> => new Promise((resolve, reject) => {
    let text = '';
    const read = (data: Buffer): void => {
      text += data.toString('latin1');
      if (!what.test(text)) return;
      socket.off('data', read);
      socket.off('close', fail);
      resolve();
    };
    const fail = (): void => reject(new Error(`the stream ended while ${what} was waited for: ${text}`));
    socket.on('data', read).on('close', fail);
  });
  plain.write(header);
  await until(plain, /<\/stream:features>/);
  plain.write("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
  await until(plain, /<proceed/);
  const socket = secure({ socket: plain, key: config.key, cert: config.cert, minVersion: 'TLSv1.3', rejectUnauthorized: false });
  socket.write(header);
  await until(socket, /<\/stream:features>/);
  let out = '';
  let rest = '';
  const client: Client = {
    publish(n) {
      out += `<iq type='set' id='p${n}' from='${config.from}' to='${config.to}'><pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='bench/topic'><item><json xmlns='urn:xmpp:json:0'>${payload(n)}</json></item></publish></pubsub></iq>`;
    },
    flush() {
      if (out !== '') socket.write(out);
      out = '';
    },
  };
  socket.on('data', (data: Buffer) => {
    // As little as can be done: this side is not what is measured.
    const text = rest + data.toString('latin1');
    if (/type=["']error["']/.test(text)) throw new Error(`not a result: ${text}`);
    let from = 0;
    for (let end = text.indexOf('</iq>'); end >= 0; end = text.indexOf('</iq>', from)) {
      from = end + 5;
      answered();
    }
    rest = text.slice(from);
    client.flush();
  });
  return client;
}

async function main(): Promise<void> {
  const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
  const first = await lines.next();
  const config = JSON.parse(String(first.value)) as Config;
  let onAnswer = (): void => { /* nothing is under way */ };
  const answered = (): void => onAnswer();
  const clients: Partial<Record<Order['kind'], Client>> = {};
  const client = async (kind: Order['kind']): Promise<Client> => {
    const target = config[kind];
    const open = async (): Promise<Client> => {
      const socket = connect(target.port, target.host).setNoDelay(true);
      socket.on('error', (error) => { throw error; });
      return kind === 'mqtt' ? mqttClient(socket, answered) : streamClient(socket, config.stream, answered);
    };
    return clients[kind] ??= await open();
  };
  let n = 0;
  for await (const line of { [Symbol.asyncIterator]: () => lines }) {
    const { kind, inFlight, count } = JSON.parse(line) as Order;
    const publisher = await client(kind);
    const sentAt: number[] = [];
    const waits: number[] = [];
    const publish = (): void => {
      sentAt.push(performance.now());
      publisher.publish(n++);
    };
    const begin = performance.now();
    await new Promise<void>((resolve) => {
      // Answers come in order on both protocols, so the oldest one waiting is the one that is meant.
      onAnswer = () => {
        waits.push(performance.now() - (sentAt[waits.length] ?? 0));
        if (waits.length === count) resolve();
        else if (sentAt.length < count) publish();
      };
      for (let i = 0; i < inFlight; i++) publish();
      publisher.flush();
    });
    console.log(JSON.stringify({ perSecond: count / (performance.now() - begin) * 1000, p50: waits.toSorted((a, b) => a - b)[count >> 1] }));
  }
  process.exit(0);
}

await main();
