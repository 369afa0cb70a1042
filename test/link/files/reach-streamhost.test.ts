import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import { reachStreamhost } from '../../../src/link/files/bytestream.ts';
import type { KnownPeer } from '../../../src/link/peers.ts';

const PEER: KnownPeer = {
  name: 'alice@h2', host: 'h2.local', port: 5298, claims: { status: 'available', box: false }, addresses: [{ address: '10.77.0.2', family: 4, interface: 'eth0' }],
};
const INTERFACES = [{ name: 'eth0', addresses: [{ address: '10.77.0.1', family: 4 as const, prefix: 24 }] }];

test('a transfer that ends while its streamhost is being connected to leaves no connection behind', async () => {
  const server = createServer((socket) => void socket.on('error', () => undefined));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const bound = server.address();
  const port = typeof bound === 'object' && bound ? bound.port : 0;
  const ended = new AbortController();
  let socket: Socket | undefined;
  const reached = reachStreamhost([{ jid: 'alice@h2', host: '10.77.0.2', port }], 'hash', PEER, INTERFACES, {
    connect: async () => {
      socket = connect(port, '127.0.0.1');
      await once(socket, 'connect');
      ended.abort(new Error('it was ended here'));
      return socket;
    },
    listen: () => Promise.reject(new Error('nobody listens')),
  }, ended.signal);
  await expect(reached).rejects.toThrow('it was ended here');
  expect(socket?.destroyed).toBe(true);
  server.close();
});
