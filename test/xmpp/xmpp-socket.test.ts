import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createSystemClock } from '../../src/clock.ts';
import { xml, type Element } from '../../src/xmpp/element.ts';
import { linkTls, peerSpki, verifiedTls } from '../../src/xmpp/tls.ts';
import { XmppSocket } from '../../src/xmpp/xmpp-socket.ts';

const header = (): Element => xml('stream:stream', { xmlns: 'jabber:client', 'xmlns:stream': 'http://etherx.jabber.org/streams', version: '1.0' });
const clock = createSystemClock();
const servers: { close(): unknown }[] = [];
const sockets: XmppSocket[] = [];
let dir = '';
let key = '';
let cert = '';

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'lanpost-tls-'));
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', '/CN=home.test',
    '-addext', 'subjectAltName=DNS:home.test', '-keyout', join(dir, 'key'), '-out', join(dir, 'cert')], { stdio: 'ignore' });
  key = readFileSync(join(dir, 'key'), 'utf8');
  cert = readFileSync(join(dir, 'cert'), 'utf8');
});
afterAll(() => rmSync(dir, { recursive: true }));
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const server of servers.splice(0)) server.close();
});

interface End { socket: XmppSocket; log: string[]; seen(what: RegExp): Promise<void> }

function end(socket: Socket, react: (self: XmppSocket, element: Element) => void = () => undefined): End {
  const log: string[] = [];
  const waiters: { what: RegExp; resolve: () => void }[] = [];
  const note = (line: string): void => {
    log.push(line);
    for (const waiter of waiters) if (waiter.what.test(line)) waiter.resolve();
  };
  const wrapped: XmppSocket = new XmppSocket({
    socket, clock, outputBytes: 1 << 20,
    on: {
      header: () => note('header'), end: () => note('end'), error: (event) => note(`error ${event.condition}`), close: (reason) => note(`close${reason ? ` ${reason.message}` : ''}`),
      stanza: (element) => {
        note(element.toString());
        react(wrapped, element);
      },
    },
  });
  sockets.push(wrapped);
  return { socket: wrapped, log, seen: (what) => (log.some((line) => what.test(line)) ? Promise.resolve() : new Promise((resolve) => { waiters.push({ what, resolve }); })) };
}

async function pair(react?: (self: XmppSocket, element: Element) => void): Promise<[End, End]> {
  const server = createServer();
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const [[accepted]] = await Promise.all([once(server, 'connection') as Promise<[Socket]>, once(client, 'connect')]);
  return [end(client), end(accepted, react)];
}

describe('a connection', () => {
  it('carries headers and stanzas and closes with both closing tags', async () => {
    const [a, b] = await pair();
    a.socket.open(header());
    b.socket.open(header());
    a.socket.write(xml('message', {}, xml('body', {}, 'h\u00e9 <')));
    await b.seen(/h\u00e9/);
    await a.socket.close();
    await b.seen(/close/);
    expect(b.log).toEqual(['header', '<message><body>h\u00e9 &lt;</body></message>', 'end', 'close']);
    expect(a.log).toEqual(['header', 'end', 'close']);
  });

  it('gathers the writes of a tick into one', async () => {
    const [a, b] = await pair();
    let writes = 0;
    const { socket } = a.socket;
    const write = socket.write.bind(socket);
    socket.write = ((...args: Parameters<typeof write>) => { writes++; return write(...args); }) as typeof socket.write;
    a.socket.open(header());
    for (let i = 0; i < 100; i++) a.socket.write(xml('message', { id: String(i) }));
    await b.seen(/id="99"/);
    expect(writes).toBe(1);
  });

  it('what is no XML is answered with a stream error', async () => {
    const [a, b] = await pair();
    a.socket.open(header());
    b.socket.open(header());
    a.socket.write('<a></b>');
    await b.seen(/error not-well-formed/);
    await a.seen(/not-well-formed/);
    await b.seen(/close/);
    expect(b.socket.closed).toBe(true);
  });

  it('a reader that does not read is told by false, then given up', async () => {
    const [a, b] = await pair();
    b.socket.pause();
    a.socket.open(header());
    const chunk = xml('message', {}, 'x'.repeat(100_000));
    expect(a.socket.write(chunk)).toBe(false);
    const deadline = Date.now() + 5000;
    while (!a.socket.closed && Date.now() < deadline) {
      a.socket.write(chunk);
      await new Promise((resolve) => { setImmediate(resolve); });
    }
    expect(a.log.at(-1)).toContain('does not read');
  });

  it('a callback that throws costs the connection, not the process', async () => {
    const [a, b] = await pair(() => { throw new Error('boom'); });
    a.socket.open(header());
    a.socket.write('<a/>');
    await b.seen(/close boom/);
    expect(b.socket.closed).toBe(true);
  });
});

describe('TLS in place', () => {
  const starttls = (self: XmppSocket, element: Element): void => {
    if (element.name !== 'starttls') return;
    self.write('<proceed/>');
    self.secure('server', linkTls({ key, cert })).then(() => self.open(header()), () => undefined);
  };

  it('both sides show their key, and what came in the clear with <starttls/> is dropped', async () => {
    const [a, b] = await pair(starttls);
    a.socket.open(header());
    b.socket.open(header());
    a.socket.write('<starttls/><evil/>');
    await a.seen(/proceed/);
    const secured = await a.socket.secure('client', linkTls({ key, cert }));
    a.socket.open(header());
    a.socket.write('<good/>');
    await b.seen(/good/);
    expect(b.log.join()).not.toContain('evil');
    const other = b.socket.secured;
    expect(other && peerSpki(other)).toEqual(peerSpki(secured));
    expect(secured.getProtocol()).toBe('TLSv1.3');
  });

  it.each([['clear', false], ['TLS', true]])('a reset takes back what the system had not sent yet (%s)', async (_, tls) => {
    const [a, b] = await pair(starttls);
    a.socket.open(header());
    b.socket.open(header());
    if (tls) {
      a.socket.write('<starttls/>');
      await a.seen(/proceed/);
      await a.socket.secure('client', linkTls({ key, cert }));
      a.socket.open(header());
    }
    a.socket.write('<ready/>');
    await b.seen(/ready/);
    // More than a pipe takes that nobody empties.
    b.socket.pause();
    let sent = 0;
    while (a.socket.buffered < 200_000) {
      a.socket.write(xml('message', {}, 'x'.repeat(60_000)));
      sent += 1;
      await new Promise((resolve) => { setImmediate(resolve); });
    }
    a.socket.reset(new Error('given up'));
    b.socket.resume();
    await Promise.all([a.seen(/^close given up/), b.seen(/^close/)]);
    expect(b.log.filter((line) => line.startsWith('<message')).length).toBeLessThan(sent / 2);
  });

  it.each([['home.test', true], ['other.test', false]])('a home certificate for home.test is checked for the domain %s', async (domain, good) => {
    const [a, b] = await pair(starttls);
    a.socket.open(header());
    b.socket.open(header());
    a.socket.write('<starttls/>');
    await a.seen(/proceed/);
    const outcome = await a.socket.secure('client', verifiedTls({ domain, ca: cert })).then(() => true, () => false);
    expect(outcome).toBe(good);
    if (!good) await a.seen(/close/);
    expect(a.socket.closed).toBe(!good);
  });

  it('without the private authority it is refused', async () => {
    const [a, b] = await pair(starttls);
    a.socket.open(header());
    b.socket.open(header());
    a.socket.write('<starttls/>');
    await a.seen(/proceed/);
    await expect(a.socket.secure('client', verifiedTls({ domain: 'home.test' }))).rejects.toThrow(/self-signed/);
  });
});
