import type { Socket } from 'node:net';
import type { Bell } from '../support/bell.ts';
import { txtData } from '../support/txt-data.ts';
import type { SimulatedLan } from './fixtures.ts';

/** One connection of a peer that a test plays itself, in raw XML. */
export class PlainStream {
  readonly #socket: Socket;
  text = '';
  ended = false;
  /** Those the other side offered last, where that is of interest. */
  features = '';
  readonly #bell: Bell;
  #wake: (() => void)[] = [];

  constructor(socket: Socket, bell: Bell) {
    this.#socket = socket;
    this.#bell = bell;
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => { this.text += chunk; this.#tell(); });
    socket.on('error', () => undefined); // how it ended is read from `ended`
    socket.on('close', () => { this.ended = true; this.#tell(); });
    socket.on('end', () => { this.ended = true; this.#tell(); });
  }

  write(text: string | Uint8Array): void {
    this.#socket.write(text);
  }

  /** The socket itself, no longer read here. */
  release(): Socket {
    this.#socket.removeAllListeners('data');
    return this.#socket;
  }

  end(): void {
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** What has been read up to and with the first match; later reads begin behind it. */
  async reads(pattern: RegExp | string): Promise<string> {
    for (;;) {
      const found = typeof pattern === 'string' ? { index: this.text.indexOf(pattern), length: pattern.length } : match(this.text, pattern);
      if (found.index >= 0) {
        const taken = this.text.slice(0, found.index + found.length);
        this.text = this.text.slice(found.index + found.length);
        return taken;
      }
      if (this.ended) throw new Error(`the stream ended before ${String(pattern)}; read: ${this.text}`);
      await new Promise<void>(resolve => { this.#wake.push(resolve); });
    }
  }

  async closes(): Promise<string> {
    while (!this.ended) await new Promise<void>(resolve => { this.#wake.push(resolve); });
    return this.text;
  }

  #tell(): void {
    for (const wake of this.#wake.splice(0)) wake();
    this.#bell.ring();
  }
}

function match(text: string, pattern: RegExp): { index: number; length: number } {
  const found = pattern.exec(text);
  return { index: found?.index ?? -1, length: found?.[0].length ?? 0 };
}

export interface PlainPeer {
  readonly name: string;
  /** Streams others opened to it. */
  readonly streams: PlainStream[];
  /** The next stream that comes in. */
  incoming(): Promise<PlainStream>;
  dial(address: string, port: number): Promise<PlainStream>;
}

/** A peer as libpurple is one: announced, listening, without TLS; the test speaks for it. */
export async function plainPeer(lan: SimulatedLan, host: number, name: string, txt: Record<string, string> = { txtvers: '1', status: 'avail' }): Promise<PlainPeer> {
  const streams: PlainStream[] = [];
  const waiting: ((stream: PlainStream) => void)[] = [];
  let taken = 0;
  const door = await lan.tcp(host).listen(lan.address(host), 0, socket => {
    const stream = new PlainStream(socket, lan.bell);
    streams.push(stream);
    const next = waiting.shift();
    if (next) { taken += 1; next(stream); }
  });
  lan.onClose(async () => { for (const stream of streams) stream.destroy(); await door.close(); });
  lan.announce({
    instance: name, host: `h${host}.local`, port: door.port, text: txtData(Object.entries(txt)),
    addresses: [{ address: lan.address(host), family: 4, interface: 'eth0' }],
  });
  return {
    name, streams,
    incoming: () => new Promise(resolve => {
      const ready = streams[taken];
      if (ready) { taken += 1; resolve(ready); }
      else waiting.push(resolve);
    }),
    dial: async (address, port) => {
      const stream = new PlainStream(await lan.tcp(host).connect(address, port, 1_000), lan.bell);
      lan.onClose(() => { stream.destroy(); return Promise.resolve(); });
      return stream;
    },
  };
}

/** As libpurple writes it. */
export const purpleHeader = (from: string, to: string): string =>
  `<?xml version="1.0" encoding="UTF-8" ?>\n<stream:stream xmlns="jabber:client" xmlns:stream="http://etherx.jabber.org/streams" from="${from}" to="${to}">`;
