import { createServer } from 'node:net';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { LanpostError } from '../src/errors.ts';
import { callFailure } from '../src/call-failure.ts';
import { createTcp } from '../src/link/tcp.ts';

describe('why a call failed', () => {
  it('is said in words, whatever the system calls it', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const port = typeof address === 'object' && address ? address.port : 0;
    server.close();
    await once(server, 'close');
    await expect(createTcp().connect('127.0.0.1', port, 1_000)).rejects.toMatchObject({
      code: 'unreachable', message: `127.0.0.1 port ${port}: the call is refused: nothing listens there, or a firewall refuses`, cause: { code: 'ECONNREFUSED' },
    });
    expect(callFailure(Object.assign(new Error('getaddrinfo ENOTFOUND pi'), { code: 'ENOTFOUND' }))).toBe('nobody knows an address of that name');
  });

  it('is left as it is where it is words already', () => {
    expect(callFailure(new LanpostError('timeout', 'it took too long'))).toBe('it took too long');
    expect(callFailure('odd')).toBe('odd');
  });
});
