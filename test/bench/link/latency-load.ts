// One end of what is measured between two boxes: a box, and beside it raw TLS with the same bytes. Runs in a host of its
// own; orders come on stdin, one JSON object a line, answers go to stdout.
import { fdatasync, openSync, write } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { createBox } from '../../../src/index.ts';
import { loadCertificate, loadIdentity } from '../../../src/trust/identity.ts';

interface Config { readonly dir: string; readonly name: string; readonly peer: string; readonly raw: { readonly host: string; readonly port: number; readonly listens: boolean } }
interface Order { readonly kind: 'message' | 'raw' | 'sync'; readonly inFlight: number; readonly count: number }

/** What a message of 100 characters has on the wire between boxes, about: measured, and the same for both. */
const BODY = 'x'.repeat(100);
const MESSAGE_BYTES = 420;

/** Appends and syncs, one after the other, as a log without group commit would. */
function disk(dir: string): (done: () => void) => void {
  const file = openSync(join(dir, 'raw'), 'a');
  const line = Buffer.alloc(MESSAGE_BYTES, 120);
  return (done) => write(file, line, (error) => {
    if (error) throw error;
    fdatasync(file, (failed) => { if (failed) throw failed; done(); });
  });
}

/** Calls back for each whole message of that many bytes. */
function messages(socket: TLSSocket, each: (first: number) => void): void {
  let rest: Buffer = Buffer.alloc(0);
  socket.setNoDelay(true);
  socket.on('error', (error) => { throw error; });
  socket.on('data', (data: Buffer) => {
    rest = rest.length > 0 ? Buffer.concat([rest, data]) : data;
    let at = 0;
    for (; rest.length - at >= MESSAGE_BYTES; at += MESSAGE_BYTES) each(rest.readUInt32BE(at));
    rest = rest.subarray(at);
  });
}

const SYNC = 1;
const ping = (kind: number): Buffer => {
  const message = Buffer.alloc(MESSAGE_BYTES, 120);
  message.writeUInt32BE(kind, 0);
  return message;
};

async function measured(count: number, inFlight: number, one: () => Promise<void>): Promise<object> {
  const waits: number[] = [];
  let begun = 0;
  const begin = performance.now();
  await Promise.all(Array.from({ length: inFlight }, async () => {
    while (begun < count) {
      begun += 1;
      const at = performance.now();
      await one();
      waits.push(performance.now() - at);
    }
  }));
  waits.sort((a, b) => a - b);
  return { perSecond: count / (performance.now() - begin) * 1000, p50: waits[waits.length >> 1], p99: waits[Math.floor(waits.length * 0.99)] };
}

async function main(): Promise<void> {
  const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
  const config = JSON.parse(String((await lines.next()).value)) as Config;
  const identity = await loadIdentity(config.dir, { machine: 'bench' });
  const tls = { key: identity.key, cert: await loadCertificate(config.dir, identity.key), minVersion: 'TLSv1.3', rejectUnauthorized: false } as const;
  const sync = disk(config.dir);
  const box = await createBox({ dir: join(config.dir, 'box'), name: config.name, control: false });
  for await (const { type, peer } of box.peers.watch({ signal: AbortSignal.timeout(20_000) })) if (type === 'up' && peer.name === config.peer) break;
  // Whoever is not paired is read at a pace, which would be all that is measured.
  await box.trust.allow(config.peer, 'chat');
  if (config.raw.listens) {
    await new Promise<void>((resolve) => {
      createServer(tls, (socket) => messages(socket, (kind) => {
        if (kind === SYNC) sync(() => socket.write(ping(kind)));
        else socket.write(ping(kind));
      })).listen(config.raw.port, config.raw.host, resolve);
    });
  }
  console.log(JSON.stringify({ ready: true }));

  let socket: TLSSocket | undefined;
  const waiting: (() => void)[] = [];
  const raw = async (): Promise<TLSSocket> => {
    if (socket) return socket;
    const opened = connect({ ...tls, host: config.raw.host, port: config.raw.port });
    await new Promise<void>((resolve) => { opened.once('secureConnect', resolve); });
    messages(opened, () => waiting.shift()?.());
    socket = opened;
    return opened;
  };
  const pinged = (to: TLSSocket, kind: number): Promise<void> => new Promise((resolve) => {
    waiting.push(resolve);
    to.write(ping(kind));
  });
  for await (const line of { [Symbol.asyncIterator]: () => lines }) {
    const { kind, inFlight, count } = JSON.parse(line) as Order;
    const to = kind === 'message' ? undefined : await raw();
    const one = async (): Promise<void> => {
      if (!to) return (await box.send(`link:${config.peer}`, BODY)).delivered;
      if (kind === 'sync') await new Promise<void>((resolve) => { sync(resolve); });
      await pinged(to, kind === 'sync' ? SYNC : 0);
    };
    console.log(JSON.stringify(await measured(count, inFlight, one)));
  }
  process.exit(0);
}

await main();
