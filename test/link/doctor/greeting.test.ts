// The first words, spoken with a peer that is scripted, over real TCP.
import { connect, createServer, type Server, type Socket } from 'node:net';
import { once } from 'node:events';
import { afterEach, describe, expect, it } from 'vitest';
import { during } from './during.ts';
import { createSystemClock, createTestClock } from '../../../src/clock.ts';
import { type Greeting, greet } from '../../../src/link/doctor/greeting.ts';

const HEADER = "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>";
const FEATURES = "<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls></stream:features>";
const PROCEED = "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";
const servers: Server[] = [];
afterEach(() => { for (const server of servers.splice(0)) server.close(); });

/** The peer does what `script` says, being told what it has been sent so far. */
async function greeted(script: (socket: Socket, text: string) => void, clock = createSystemClock()): Promise<{ greeting: Promise<Greeting>; said: () => string }> {
  let said = '';
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.setEncoding('utf8').on('data', (text: string) => {
      said += text;
      script(socket, said);
    });
  }).listen(0, '127.0.0.1');
  servers.push(server);
  await once(server, 'listening');
  const address = server.address();
  const socket = connect(typeof address === 'object' && address ? address.port : 0, '127.0.0.1');
  await once(socket, 'connect');
  return { greeting: greet({ socket, clock, from: 'A@h1', to: 'B<&>@h2', signal: new AbortController().signal }), said: () => said };
}

/** Calls once, when the text contains the word. */
function on(word: string, act: (socket: Socket) => void): (socket: Socket, text: string) => void {
  let done = false;
  return (socket, text) => {
    if (done || !text.includes(word)) return;
    done = true;
    act(socket);
  };
}

describe('a greeting', () => {
  it('is answered, and so is what follows a great many bytes', async () => {
    const [small, large] = [on('version=', (socket) => socket.write(HEADER + FEATURES)), on('<starttls', (socket) => socket.write(PROCEED))];
    const { greeting, said } = await greeted((socket, text) => { small(socket, text); large(socket, text); });
    expect(await greeting).toEqual({ answered: true, large: true, ms: expect.any(Number) });
    expect(said()).toContain("to='B&lt;&amp;&gt;@h2'");
    expect(said().length).toBeGreaterThan(12_000);
  });

  it('is answered, but not what follows', async () => {
    const clock = createTestClock();
    let reached: () => void = () => undefined;
    const asked = new Promise<void>((resolve) => { reached = resolve; });
    const [small, large] = [on('version=', (socket) => socket.write(HEADER + FEATURES)), on('<starttls', () => reached())];
    const { greeting } = await greeted((socket, text) => { small(socket, text); large(socket, text); }, clock);
    await asked; // time stands still until then
    expect(await during(greeting, clock)).toMatchObject({ answered: true, large: false });
  });

  it.each([
    ['a stream error', `${HEADER}<stream:error><not-authorized xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>`, 'not-authorized'],
    ['a closing tag', `${HEADER}</stream:stream>`, 'closed'],
    ['something else', 'HTTP/1.1 400 Bad Request\r\n\r\n', expect.any(String)],
    ['the end', '', 'closed'],
  ])('is refused with %s', async (_what, answer, refused) => {
    const { greeting } = await greeted(on('version=', (socket) => { socket.end(answer); }));
    expect(await greeting).toMatchObject({ answered: false, refused });
  });

  it('that is refused half-way says nothing of large packets', async () => {
    const [small, large] = [on('version=', (socket) => socket.write(HEADER + FEATURES)), on('<starttls', (socket) => socket.end('</stream:stream>'))];
    const { greeting } = await greeted((socket, text) => { small(socket, text); large(socket, text); });
    expect(await greeting).toEqual({ answered: true, ms: expect.any(Number) });
  });
});
