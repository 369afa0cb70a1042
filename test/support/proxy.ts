import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** A small proxy of either kind, on loopback. It looks names up in its own book. */
export interface TestProxy extends AsyncDisposable {
  /** As a home takes it, credentials and all. */
  readonly url: string;
  readonly port: number;
  /** Whereto it was asked to connect, `HOST:PORT`. */
  readonly asked: string[];
  /** Bytes that went through, in the clear as it saw them. */
  readonly carried: Buffer[];
  /** Every connection ends without a word. */
  cut(): void;
  /** It takes connections and answers nothing. */
  mute: boolean;
}

export interface TestProxyOptions {
  readonly kind: 'http' | 'socks5';
  /** Where names are: `HOST:PORT` → port on loopback. What is not in it is refused. */
  readonly book: Readonly<Record<string, number>>;
  readonly user?: string;
  readonly password?: string;
}

export async function startProxy({ kind, book, user, password }: TestProxyOptions): Promise<TestProxy> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
    if (proxy.mute) socket.resume();
    else void (kind === 'http' ? http : socks)(socket).catch(() => socket.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const credentials = user === undefined ? '' : `${encodeURIComponent(user)}:${encodeURIComponent(password ?? '')}@`;
  const proxy: TestProxy = {
    url: `${kind}://${credentials}127.0.0.1:${port}`, port, asked: [], carried: [], mute: false,
    cut: () => { for (const socket of sockets) socket.destroy(); },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };

  /** Connects, or says why not. */
  async function reach(to: string): Promise<Socket | undefined> {
    proxy.asked.push(to);
    const target = book[to];
    if (target === undefined) return undefined;
    const far = connect(target, '127.0.0.1');
    sockets.add(far);
    far.on('close', () => sockets.delete(far));
    try {
      await once(far, 'connect');
      far.on('error', () => undefined);
      return far;
    } catch {
      return undefined; // nobody there: refused like what is not in the book
    }
  }

  function join(near: Socket, far: Socket): void {
    near.on('data', (bytes: Buffer) => proxy.carried.push(bytes));
    near.pipe(far).pipe(near);
    near.on('close', () => far.destroy());
    far.on('close', () => near.destroy());
  }

  async function http(socket: Socket): Promise<void> {
    const head = (await until(socket, (bytes) => bytes.includes('\r\n\r\n'))).toString('latin1');
    const authorized = user === undefined || head.includes(`Proxy-Authorization: Basic ${Buffer.from(`${user}:${password ?? ''}`).toString('base64')}\r\n`);
    if (!authorized) return void socket.end('HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm="test"\r\n\r\n');
    const far = await reach(/^CONNECT (\S+) HTTP\/1\.1\r\n/.exec(head)?.[1] ?? '');
    if (!far) return void socket.end('HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n');
    socket.write('HTTP/1.1 200 Connection established\r\nVia: 1.1 test\r\n\r\n');
    join(socket, far);
  }

  async function socks(socket: Socket): Promise<void> {
    const methods = await until(socket, (bytes) => bytes.length >= 2 && bytes.length >= 2 + (bytes[1] ?? 0));
    const wanted = user === undefined ? 0 : 2;
    const offered = methods.subarray(2).includes(wanted);
    socket.write(Buffer.from([5, offered ? wanted : 0xff]));
    if (!offered) return void socket.end();
    if (user !== undefined) {
      const said = await until(socket, (bytes) => bytes.length >= 2 && bytes.length >= 3 + (bytes[1] ?? 0) + (bytes[2 + (bytes[1] ?? 0)] ?? 255));
      const name = said.subarray(2, 2 + (said[1] ?? 0)).toString();
      const secret = said.subarray(3 + name.length).toString();
      const right = name === user && secret === (password ?? '');
      socket.write(Buffer.from([1, right ? 0 : 1]));
      if (!right) return void socket.end();
    }
    const request = await until(socket, (bytes) => bytes.length >= 5 && bytes.length >= (bytes[3] === 3 ? 7 + (bytes[4] ?? 0) : bytes[3] === 4 ? 22 : 10));
    const end = request.length - 2;
    const host = request[3] === 3 ? request.subarray(5, end).toString() : request[3] === 1 ? [...request.subarray(4, end)].join('.') : `[${request.subarray(4, end).toString('hex')}]`;
    const far = await reach(`${host}:${request.readUInt16BE(end)}`);
    if (!far) return void socket.end(Buffer.from([5, 4, 0, 1, 0, 0, 0, 0, 0, 0]));
    socket.write(Buffer.from([5, 0, 0, 3, 4, ...Buffer.from('test'), 0, 1]));
    join(socket, far);
  }
  return proxy;
}

/** What came, once it is enough. */
function until(socket: Socket, enough: (bytes: Buffer) => boolean): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let kept = Buffer.alloc(0);
    const closed = (): void => reject(new Error('closed'));
    const data = (bytes: Buffer): void => {
      kept = Buffer.concat([kept, bytes]);
      if (!enough(kept)) return;
      socket.off('data', data).off('close', closed).pause();
      resolve(kept);
    };
    socket.on('data', data).on('close', closed).resume();
  });
}
