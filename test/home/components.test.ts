import { createServer, type Server, type Socket } from 'node:net';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { afterEach, describe, expect, test } from 'vitest';
import { createSystemClock } from '../../src/clock.ts';
import { Components, toComponent } from '../../src/home/component/components.ts';
import type { Letter } from '../../src/mail/letter.ts';
import { xml, type Element } from '../../src/xmpp/element.ts';
import { Bell } from '../support/bell.ts';
import { quiet } from '../support/quiet.ts';
import { memoryRegistry } from '../trust/fixtures.ts';

const SECRET = 'secret';
const given = { domain: 'edge.test', secret: SECRET };

describe('a component is refused at the door', () => {
  test.each<[object, string]>([
    [{ ...given, domain: 'a@edge.test' }, 'invalid-value'], [{ ...given, domain: '' }, 'invalid-value'], [{ ...given, host: '192.0.2.1' }, 'invalid-value'],
    [{ ...given, host: 'localhost' }, 'invalid-value'], [{ ...given, host: '::ffff:127.0.0.1' }, 'invalid-value'], [{ ...given, devices: ['a/b'] }, 'invalid-value'],
    [{ ...given, devices: ['a@b'] }, 'invalid-value'], [{ ...given, devices: [''] }, 'invalid-value'], [{ ...given, devices: Array.from({ length: 1_001 }, (_, n) => `d${n}`) }, 'too-large'],
  ])('%j', (options, code) => { expect(() => toComponent(options)).toThrow(expect.objectContaining({ code })); });

  test.each<[object]>([[{ domain: 'edge.test' }], [{ ...given, port: 0 }], [{ ...given, devices: 'x' }], [{ ...given, extra: 1 }]])('%j is a TypeError', (options) => {
    expect(() => toComponent(options)).toThrow(TypeError);
  });

  test('unless it can be: names as addresses have them, each once', () => {
    expect(toComponent({ ...given, domain: 'Edge.Test', devices: ['Boiler', 'boiler', 'door'] })).toMatchObject({ domain: 'edge.test', host: '127.0.0.1', port: 5347, devices: ['boiler', 'door'] });
  });
});

test('one that another version has kept and this one does not take keeps neither the others nor the box', async () => {
  const registry = memoryRegistry();
  await registry.setAll([['component:a.test', { domain: 'a.test', secret: SECRET, devices: ['x/y'] }], ['component:b.test', { domain: 'b.test', secret: SECRET, port: 1 }]]);
  const told: string[] = [];
  const components = new Components({ log: { registry, trustedNow: () => undefined }, clock: createSystemClock(), trouble: ({ message }) => told.push(message), receive: async () => undefined, random: () => 0 });
  await components.start();
  expect(components.list().map(({ domain }) => domain)).toEqual(['b.test', 'a.test']);
  expect(components.list()[1]).toMatchObject({ state: 'refused', devices: [], reason: expect.stringMatching(/lanpost component add a\.test.*lanpost component remove a\.test/) as string });
  expect(told).toEqual([expect.stringContaining('a.test could not be taken up')]);
  expect(registry.get('component:a.test')).toBeDefined();
  await components.remove('A.test');
  expect(registry.get('component:a.test')).toBeUndefined();
  expect(components.list().map(({ domain }) => domain)).toEqual(['b.test']);
  await components.close();
});

test('what another version has kept is added anew, and is there once', async () => {
  const registry = memoryRegistry();
  await registry.set('component:a.test', 'what');
  const components = new Components({ log: { registry, trustedNow: () => undefined }, clock: createSystemClock(), trouble: () => undefined, receive: async () => undefined, random: () => 0 });
  await components.start();
  expect(components.list()).toMatchObject([{ domain: 'a.test', state: 'refused' }]);
  await expect(async () => components.checked('x@a.test', 'b@c.test', 'hi')).rejects.toMatchObject({ code: 'unreachable' });
  await components.add({ domain: 'a.test', secret: SECRET, port: 1 });
  expect(components.list().map(({ domain, state }) => [domain, state === 'refused'])).toEqual([['a.test', false]]);
  await components.close();
});

describe('a component', () => {
  const bell = new Bell();
  let server: Server;
  let components: Components;
  const sockets: Socket[] = [];
  const came: Element[] = [];
  let heard = '';
  let said: (text: string) => void = () => undefined;
  /** What is taken is in work until then. */
  let busy: Promise<void> | undefined;
  afterEach(async () => {
    busy = undefined;
    await components.close();
    for (const socket of sockets.splice(0)) socket.destroy();
    server.close();
    heard = '';
    came.length = 0;
  });
  const begin = async (answer: (digest: string) => string = (digest) => (digest === createHash('sha1').update(`42${SECRET}`).digest('hex') ? '<handshake/>' : '<stream:error><not-authorized xmlns="urn:ietf:params:xml:ns:xmpp-streams"/></stream:error>')): Promise<void> => {
    server = createServer((socket) => {
      sockets.push(socket);
      said = (text) => void socket.write(text);
      socket.on('error', () => undefined).on('data', (bytes) => {
        const text = bytes.toString();
        heard += text;
        if (text.includes('<stream:stream')) said('<stream:stream xmlns="jabber:component:accept" xmlns:stream="http://etherx.jabber.org/streams" from="edge.test" id="42">');
        const digest = /<handshake>([0-9a-f]+)</.exec(text)?.[1];
        if (digest !== undefined) said(answer(digest));
        bell.ring();
      });
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const bound = server.address();
    components = new Components({
      log: { registry: memoryRegistry(), trustedNow: () => undefined }, clock: bell.heard(createSystemClock()), trouble: bell.ring, random: () => 0, opened: bell.ring,
      receive: async (stanza) => {
        came.push(stanza);
        bell.ring();
        await busy;
        if (stanza.getName() === 'message') return undefined;
        return xml('iq', { type: 'result', id: String(stanza.attrs['id']), to: String(stanza.attrs['from']) });
      },
    });
    await components.add({ ...given, port: typeof bound === 'object' ? bound?.port ?? 0 : 0, devices: ['boiler'] });
  };

  test('shows that it knows the secret, and then answers from the address that was asked', async () => {
    await begin();
    await bell.until(() => heard.includes('</handshake>'));
    expect(heard).toContain("to='edge.test'");
    said('<iq type="get" id="1" from="a@b.test/c" to="boiler@edge.test"><ping xmlns="urn:xmpp:ping"/></iq>');
    await bell.until(() => heard.includes("id='1'"));
    expect(heard).toMatch(/<iq type='result' id='1' to='a@b.test\/c' from='boiler@edge.test'\/>/);
    expect(components.list()).toMatchObject([{ state: 'online' }]);
  });

  test('refuses what is for a device that there is not; what is no request it leaves', async () => {
    await begin();
    await bell.until(() => heard.includes('</handshake>'));
    said('<presence type="subscribe" from="a@b.test" to="boiler@edge.test"/><message type="error" from="a@b.test" to="x@edge.test"/><iq type="result" id="9" from="a@b.test" to="x@edge.test"/>'
      + '<message from="a@b.test" to="x@edge.test" id="2"><body>x</body></message>');
    await bell.until(() => heard.includes("id='2'"));
    expect(heard.match(/type='error'/g)).toHaveLength(1);
    expect(heard).toContain('<service-unavailable');
    expect(came).toEqual([]);
  });

  test('reads no more than it can work on, also when what came over a connection before is still in work', async () => {
    await begin();
    await bell.until(() => components.list()[0]?.state === 'online');
    let free = (): void => undefined;
    busy = new Promise((resolve) => { free = resolve; });
    const flood = (): void => {
      const messages = Array.from({ length: 2000 }, (_, n) => `<message from="a@b.test" to="boiler@edge.test" id="m${n}"><body>${'x'.repeat(500)}</body></message>`);
      for (const message of messages) said(message);
    };
    const reads = async (goal: number): Promise<void> => {
      await bell.until(() => came.length >= goal);
      await quiet();
      // What was read from the socket together is worked on together.
      expect(came.length).toBeLessThan(goal + 200);
    };
    flood();
    await reads(64);
    const [first, before] = [sockets.length, came.length];
    sockets[0]?.resetAndDestroy();
    // What is not read is not seen to be gone; what is written is.
    const lost = (await components.road.deliver(ADDRESS, letter(1))).taken?.catch(() => undefined);
    await lost;
    await bell.until(() => sockets.length > first && components.list()[0]?.state === 'online');
    flood();
    await reads(before + 64);
    free();
  });

  test('with the wrong secret says so, and does not try again at once', async () => {
    await begin(() => '<stream:error><not-authorized xmlns="urn:ietf:params:xml:ns:xmpp-streams"/></stream:error>');
    await bell.until(() => components.list()[0]?.state === 'refused');
    expect(components.list()[0]?.reason).toBe('the secret was refused');
    expect(sockets).toHaveLength(1);
  });

  const echo = (): void => {
    const [question] = heard.match(/<iq type='get' id='[^']+' from='edge.test' to='edge.test'>.*?<\/iq>/g)?.slice(-1) ?? [];
    if (question !== undefined) said(question);
  };
  const letter = (n: number): Letter => ({ id: `m${n}`, to: 'xmpp:a@b.test', body: `hello <${n}>`, recordId: `aaaaaaaaaaaaaaaa-1.00000001-${n}`, chain: 'x', time: 1 });
  const ADDRESS = { kind: 'as', from: 'boiler@edge.test', jid: 'a@b.test' } as const;
  const questions = (): number => heard.match(/to='edge.test'><ping/g)?.length ?? 0;

  test('carries mail from its devices, and has handed it when what it asks itself behind it has come back', async () => {
    await begin();
    await bell.until(() => components.road.reaches(ADDRESS));
    const [first, second, third] = [await components.road.deliver(ADDRESS, letter(1)), await components.road.deliver(ADDRESS, letter(2)), await components.road.deliver(ADDRESS, letter(3))];
    const read: number[] = [];
    first.taken?.then(() => read.push(1)).catch(bell.ring);
    second.taken?.then(() => read.push(2)).catch(bell.ring);
    await bell.until(() => heard.includes('hello &lt;3&gt;') && questions() === 1);
    expect(heard).toContain("<message to='a@b.test' from='boiler@edge.test' id='m1' type='chat'><body>hello &lt;1&gt;</body></message>");
    // Neither another's, nor what is no answer to it.
    said("<iq type='get' id='1' from='a@b.test' to='edge.test'><ping xmlns='urn:xmpp:ping'/></iq>");
    const id = /id='([^']+)' from='edge.test' to='edge.test'/.exec(heard)?.[1] ?? '';
    said(`<iq type='result' id='${id}' from='mallory@b.test' to='edge.test'/><message from='a@b.test' to='boiler@edge.test' id='then'><body>x</body></message>`);
    await bell.until(() => came.length > 0);
    expect(read).toEqual([]);
    echo();
    await first.taken;
    expect(read).toEqual([1]);
    await bell.until(() => questions() === 2);
    echo();
    await Promise.all([second.taken, third.taken]);
  });

  test('says of what it wrote before the connection broke that another try may help, and takes none while it is away', async () => {
    await begin();
    await bell.until(() => components.road.reaches(ADDRESS));
    const { taken } = await components.road.deliver(ADDRESS, letter(1));
    const lost = taken?.then(() => undefined, (error: unknown) => error);
    await bell.until(() => questions() === 1);
    for (const socket of sockets) socket.destroy();
    expect(await lost).toMatchObject({ code: 'disconnected' });
    expect([components.road.reaches(ADDRESS), components.road.holds(ADDRESS)]).toEqual([false, true]);
    await expect((await components.road.deliver(ADDRESS, letter(2))).taken).rejects.toMatchObject({ code: 'unreachable' });
    expect(components.road.holds({ ...ADDRESS, from: 'door@edge.test' })).toBe(false);
    expect(components.road.holds({ kind: 'xmpp', jid: 'a@b.test' })).toBe(false);
  });

  test('tells at once what nobody can write', async () => {
    await begin();
    expect(components.checked('boiler@edge.test', 'a@b.test', 'x')).toBe('boiler@edge.test');
    // Any of these would end the stream, and with it what is on its way.
    for (const [to, body] of [['a@b.test', 'nul \u0000'], ['a@b.test', '\uffff'], ['a\uffff@b.test', 'x'], ['a b', 'x'], ['', 'x']] as const) {
      expect(() => components.checked('boiler@edge.test', to, body)).toThrow(expect.objectContaining({ code: 'invalid-value' }));
    }
    expect(() => components.checked('boiler@edge.test', 'a@b.test', 'x'.repeat(300_000))).toThrow(expect.objectContaining({ code: 'too-large' }));
    expect(() => components.checked('door@edge.test', 'a@b.test', 'x')).toThrow(expect.objectContaining({ code: 'not-found' }));
    expect(() => components.checked('boiler@other.test', 'a@b.test', 'x')).toThrow(expect.objectContaining({ code: 'not-found' }));
    expect(components.addressesOf('boiler')).toEqual(['boiler@edge.test']);
    await components.remove('edge.test');
    expect(() => components.checked('boiler@edge.test', 'a@b.test', 'x')).toThrow(expect.objectContaining({ code: 'not-found' }));
    expect([components.list(), components.addressesOf('boiler'), components.road.holds(ADDRESS)]).toEqual([[], [], false]);
  });
});
