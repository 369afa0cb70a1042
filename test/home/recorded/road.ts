import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** The way from a box to its home, over loopback: bytes are passed on, for as long as it is there. */
export interface Road extends AsyncDisposable {
  readonly port: number;
  /** How often it was taken. */
  readonly calls: number;
  /** Connections end, and none is taken. */
  cut(): void;
  /** As a cable that is pulled: nothing arrives any more, and neither end is told. */
  silence(): void;
  /** The same, once so many more bytes have gone home. */
  silenceAfter(bytes: number): Promise<void>;
  restore(): void;
}

export async function startRoad(target: () => number): Promise<Road> {
  const sockets = new Set<Socket>();
  const dead = new WeakSet<Socket>();
  let state: 'there' | 'cut' | 'silent' = 'there';
  let calls = 0;
  let carried = 0;
  let limit = Infinity;
  let reached: () => void = () => undefined;
  const keep = (socket: Socket): void => {
    sockets.add(socket);
    socket.setNoDelay(true).on('error', () => undefined).on('close', () => sockets.delete(socket));
  };
  const pass = (from: Socket, to: Socket, home: boolean): void => {
    from.on('data', (bytes) => {
      if (dead.has(from)) return;
      if (home) carried += bytes.length;
      if (home && carried >= limit) {
        limit = Infinity;
        road.silence();
        reached();
        return;
      }
      if (!to.write(bytes)) from.pause();
    });
    to.on('drain', () => from.resume());
    from.on('close', () => { if (!dead.has(from)) to.destroy(); });
  };
  const server = createServer((socket) => {
    calls++;
    keep(socket);
    if (state === 'cut') {
      socket.destroy();
      return;
    }
    if (state === 'silent') {
      dead.add(socket);
      socket.resume();
      return;
    }
    const onward = connect(target(), '127.0.0.1');
    keep(onward);
    pass(socket, onward, true);
    pass(onward, socket, false);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const road: Road = {
    port,
    get calls() { return calls; },
    cut() {
      state = 'cut';
      for (const socket of sockets) socket.destroy();
    },
    silence() {
      state = 'silent';
      for (const socket of sockets) dead.add(socket);
    },
    silenceAfter: (bytes) => new Promise((resolve) => {
      limit = carried + bytes;
      reached = resolve;
    }),
    restore() { state = 'there'; },
    async [Symbol.asyncDispose]() {
      road.cut();
      server.close();
      await once(server, 'close');
    },
  };
  return road;
}
