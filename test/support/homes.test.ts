import { createConnection } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { createHomeServer, type HomeServer } from './homes.ts';
import { needs } from './needs.ts';

/** What a server says first to a client that opens a stream. */
function greeting(home: HomeServer): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(home.port, home.host);
    let text = '';
    socket.on('error', reject).on('data', (data) => {
      text += data.toString();
      if (text.includes('</stream:features>')) socket.destroy();
    }).on('close', () => resolve(text));
    socket.write(`<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0' to='${home.domain}'>`);
  });
}

describe.each(['prosody', 'ejabberd'] as const)('the home server %s', (kind) => {
  let home: HomeServer | undefined;
  afterEach(() => home?.down());

  it.skipIf(!needs(kind))('starts, asks for TLS, is killed and starts again with its data', async () => {
    home = await createHomeServer(kind);
    await home.start();
    expect(await greeting(home)).toContain('urn:ietf:params:xml:ns:xmpp-tls');
    await home.kill();
    await expect(greeting(home)).rejects.toThrow('ECONNREFUSED');
    await home.start();
    expect(await greeting(home)).toContain('urn:ietf:params:xml:ns:xmpp-tls');
    await home.stop();
  });
});
