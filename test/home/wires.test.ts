import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type WebSocket, WebSocketServer } from 'ws';
import { createSystemClock, createTestClock } from '../../src/clock.ts';
import { BoshWire } from '../../src/home/bosh-wire.ts';
import { connectTo } from '../../src/home/connect.ts';
import { type HttpAnswer, refusalOf } from '../../src/home/https.ts';
import { lossOf } from '../../src/home/loss.ts';
import { xml } from '../../src/xmpp/element.ts';
import type { Wire, WireCallbacks } from '../../src/xmpp/wire.ts';
import { Bell } from '../support/bell.ts';
import { quiet } from '../support/quiet.ts';

const HEADER = xml('stream:stream', { to: 'home.test', version: '1.0', 'xml:lang': 'en' });

/** What a wire tells, as text. */
function heard(bell: Bell = new Bell()): { readonly events: string[]; readonly on: WireCallbacks } {
  const events: string[] = [];
  const note = (text: string): void => {
    events.push(text);
    bell.ring();
  };
  return {
    events,
    on: {
      header: () => note('header'), stanza: (element) => note(element.name), error: ({ condition }) => note(`error ${condition}`),
      close: (reason) => note(`close${reason === undefined ? '' : ` ${reason.message}`}`),
    },
  };
}

describe('RFC 7395: a stream over WebSocket', () => {
  let tls: { key: Buffer; cert: Buffer };
  let web: ReturnType<typeof createServer>;
  let sockets: WebSocketServer;
  beforeAll(async () => {
    const dir = mkdtempSync(join(tmpdir(), 'lanpost-ws-'));
    execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost', '-keyout', join(dir, 'key'), '-out', join(dir, 'cert')], { stdio: 'ignore' });
    tls = { key: readFileSync(join(dir, 'key')), cert: readFileSync(join(dir, 'cert')) };
    rmSync(dir, { recursive: true });
    web = createServer(tls).listen(0, 'localhost');
    sockets = new WebSocketServer({ server: web, handleProtocols: (offered) => (offered.has('xmpp') ? 'xmpp' : false) });
    await once(web, 'listening');
  });
  afterAll(() => {
    for (const socket of sockets.clients) socket.terminate();
    web.close();
  });

  async function pair(stanzaBytes = 10_000): Promise<{ wire: Wire; far: WebSocket; said: string[]; bell: Bell; events: string[] }> {
    const bell = new Bell();
    const { events, on } = heard(bell);
    const clock = createSystemClock();
    const opening = once(sockets, 'connection') as Promise<[WebSocket]>;
    const said: string[] = [];
    void opening.then(([socket]) => socket.on('message', (data: Buffer) => { said.push(data.toString()); bell.ring(); }));
    const wire = await connectTo({ kind: 'websocket', url: `wss://localhost:${(web.address() as AddressInfo).port}/ws` }, {
      domain: 'home.test', trust: { ca: tls.cert.toString() }, clock, stanzaBytes, on, dialing: { clock, signal: new AbortController().signal },
    });
    const [far] = await opening;
    return { wire, far, said, bell, events };
  }

  it('§3.4, §3.3.3, §3.6 begins with <open/>, each frame a whole element of its own, and ends with <close/>', async () => {
    const { wire, far, said, bell, events } = await pair();
    wire.open(HEADER);
    far.send("<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' from='home.test' version='1.0'/>");
    far.send("<stream:features xmlns:stream='http://etherx.jabber.org/streams'/>");
    await bell.until(() => events.length === 2);
    wire.write(xml('iq', { type: 'get' }));
    wire.write(xml('r', { xmlns: 'urn:xmpp:sm:3' }));
    const closed = wire.close();
    await bell.until(() => said.length === 4);
    far.send("<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>");
    await closed;
    expect(events).toEqual(['header', 'stream:features', 'close']);
    expect(said).toEqual(["<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='home.test' version='1.0' xml:lang='en'/>", "<iq xmlns='jabber:client' type='get'/>", "<r xmlns='urn:xmpp:sm:3'/>", "<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>"]);
  });

  it.each([['two elements', '<a/><b/>'], ['half an element', '<a>'], ['a header as over TCP', "<stream:stream xmlns:stream='http://etherx.jabber.org/streams'>"], ['a binary frame', Buffer.from('<a/>')]])('§3.3.3 %s in a frame ends the stream', async (_name, frame) => {
    const { wire, far, said, bell, events } = await pair();
    wire.open(HEADER);
    far.send(frame);
    await bell.until(() => events.some((event) => event.startsWith('close')));
    expect(events[0]).toMatch(/^error /);
    expect(said.some((text) => text.startsWith('<stream:error'))).toBe(true);
  });

  it.each([[503, 'link'], [404, 'config']])('a web server that answers %i instead is tried again as %s', async (status, kind) => {
    const other = createServer(tls).listen(0, 'localhost');
    other.on('upgrade', (_request, socket) => socket.end(`HTTP/1.1 ${status} No\r\nConnection: close\r\n\r\n`));
    await once(other, 'listening');
    const clock = createSystemClock();
    const failure: unknown = await connectTo({ kind: 'websocket', url: `wss://localhost:${(other.address() as AddressInfo).port}/ws` }, {
      domain: 'home.test', trust: { ca: tls.cert.toString() }, clock, stanzaBytes: 1_000, on: heard().on, dialing: { clock, signal: new AbortController().signal },
    }).catch((error: unknown) => error);
    other.close();
    expect(lossOf(failure)).toEqual({ kind, reason: expect.stringMatching(new RegExp(`${status}`)) });
  });

  it('a frame larger than a stanza may be ends the connection before it is read', async () => {
    const { far, bell, events } = await pair(1_000);
    far.send(`<a>${'x'.repeat(5_000)}</a>`);
    await bell.until(() => events.length > 0);
    expect(events).toEqual([expect.stringMatching(/^close .*payload/)]);
  });

  it('whatever the frames: elements, one fault, the end', async () => {
    await fc.assert(fc.asyncProperty(fc.array(fc.oneof(fc.string(), fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)), fc.constantFrom('<a/>', "<iq xmlns='jabber:client'/>", '<?xml version="1.0"?>', '<!DOCTYPE x>', "<close xmlns='urn:ietf:params:xml:ns:xmpp-framing' see-other-uri='wss://evil/'/>")), { maxLength: 6 }), async (frames) => {
      const { wire, far, bell, events } = await pair();
      wire.open(HEADER);
      for (const frame of frames) far.send(frame);
      far.close();
      await bell.until(() => events.some((event) => event.startsWith('close')));
      expect(events.filter((event) => event.startsWith('close'))).toHaveLength(1);
      expect(events.filter((event) => event.startsWith('error')).length).toBeLessThan(2);
    }), { numRuns: 30 });
  });
});

describe('XEP-0124: a stream over requests', () => {
  const NS = 'http://jabber.org/protocol/httpbind';
  function rig(came: (name: string) => void = () => undefined): { wire: BoshWire; posts: { rid: number; body: string; gone: () => void; answer: (inner: string, attrs?: string) => void; fail: (status?: number) => void }[]; events: string[]; clock: ReturnType<typeof createTestClock>; begin: () => Promise<void>; later: () => Promise<void> } {
    const clock = createTestClock();
    const { events, on } = heard();
    const posts: ReturnType<typeof rig>['posts'] = [];
    const wire = new BoshWire({
      clock, limits: { stanzaBytes: 1_000, depth: 16 }, done: () => undefined,
      on: { ...on, stanza: (element) => { on.stanza(element); came(element.name); } },
      post: (body, gone) => new Promise<HttpAnswer>((resolve, reject) => {
        posts.push({
          rid: Number(/ rid='(\d+)'/.exec(body)?.[1]), body, gone,
          answer: (inner, attrs = '') => resolve({ status: 200, headers: {}, body: `<body xmlns='${NS}' ${attrs}>${inner}</body>` }),
          fail: (status) => (status === undefined ? reject(new Error('gone')) : resolve({ status, headers: {}, body: '' })),
        });
      }),
    });
    const begin = async (): Promise<void> => {
      wire.open(HEADER);
      await quiet();
      posts[0]?.gone();
      posts[0]?.answer('<features/>', "sid='s' requests='2'");
      await quiet();
    };
    /** What was posted has had its start. */
    const later = async (): Promise<void> => {
      await quiet();
      for (const { gone } of posts) gone();
      clock.advance(200);
      await quiet();
    };
    return { wire, posts, events, clock, begin, later };
  }

  it('§14.1 a request goes when the one before is answered, or was on its way for a while: it must not overtake it', async () => {
    const { wire, posts, clock, begin } = rig();
    const sent = (): number[] => posts.map(({ rid }) => rid - (posts[0]?.rid ?? 0));
    await begin();
    wire.write(xml('iq', { id: 'a' }));
    clock.advance(10_000);
    await quiet();
    expect(sent()).toEqual([0, 1]); // it waits for its connection yet
    posts[1]?.gone();
    clock.advance(199);
    await quiet();
    expect(sent()).toEqual([0, 1]);
    clock.advance(1);
    await quiet();
    expect(sent()).toEqual([0, 1, 2]);
    posts[2]?.gone();
    // Both are cut off, the later first: they go again in their order.
    posts[2]?.fail();
    posts[1]?.fail();
    await quiet();
    clock.advance(50);
    await quiet();
    expect(sent()).toEqual([0, 1, 2, 1]);
    posts[3]?.answer('');
    await quiet();
    expect(sent()).toEqual([0, 1, 2, 1, 2]);
  });

  it('§14.1 what a web server could not hand on has not arrived: the next waits until it has gone again', async () => {
    const { wire, posts, clock, begin } = rig();
    const sent = (): number[] => posts.map(({ rid }) => rid - (posts[0]?.rid ?? 0));
    await begin();
    posts[1]?.gone();
    wire.write(xml('iq', { id: 'a' }));
    await quiet();
    posts[1]?.fail(503);
    await quiet();
    clock.advance(999);
    await quiet();
    expect(sent()).toEqual([0, 1]);
    clock.advance(1);
    await quiet();
    expect(sent()).toEqual([0, 1, 1]);
    posts[2]?.gone();
    clock.advance(200);
    await quiet();
    expect(sent()).toEqual([0, 1, 1, 2]);
  });

  it('§11 one request is always open for the server, and what is said goes in another', async () => {
    const { wire, posts, events, begin, later } = rig();
    await begin();
    expect([events, posts.length]).toEqual([['header', 'features'], 2]);
    await later();
    wire.write(xml('iq', { id: 'a' }));
    wire.write(xml('iq', { id: 'b' }));
    await quiet();
    expect(posts.map(({ body }) => [...body.matchAll(/ id='(.)'/g)].map(([, id]) => id).join(''))).toEqual(['', '', 'ab']);
    // Two are open: the next waits.
    wire.write(xml('iq', { id: 'c' }));
    await quiet();
    expect(posts).toHaveLength(3);
    posts[1]?.answer('');
    await later();
    expect(posts[3]?.body).toContain("id='c'");
    expect(posts.map(({ rid }) => rid - (posts[0]?.rid ?? 0))).toEqual([0, 1, 2, 3]);
  });

  it('§14.1 answers are taken in the order of the requests', async () => {
    const { wire, posts, events, begin, later } = rig();
    await begin();
    wire.write(xml('iq', {}));
    await later();
    posts[2]?.answer('<second/>');
    await quiet();
    expect(events).not.toContain('second');
    posts[1]?.answer('<first/>');
    await quiet();
    expect(events.slice(2)).toEqual(['first', 'second']);
  });

  it('XEP-0206 §5 a new stream is asked for with nothing before it on the way', async () => {
    // As negotiation does, in the turn of what came.
    const { wire, posts, begin, later } = rig((name) => { if (name === 'success') queueMicrotask(() => wire.open(HEADER)); });
    await begin();
    wire.write(xml('response', {}));
    await later();
    posts[2]?.answer('<success/>');
    posts[1]?.answer('');
    await quiet();
    expect(posts.slice(3).map(({ body }) => body.includes("xmpp:restart='true'"))).toEqual([true]);
  });

  it('§17.2 a session that the server knows no more is over, and may begin anew; a server that is away is none that is set up wrongly', async () => {
    const { posts, events, begin } = rig();
    await begin();
    posts[1]?.fail(404);
    await quiet();
    expect(events.at(-1)).toMatch(/ended the session: 404/);
    expect(lossOf(refusalOf('web', 404)).kind).toBe('config');
    expect([502, 503, 429].map((status) => lossOf(refusalOf('web', status)).kind)).toEqual(['link', 'link', 'link']);
  });

  it('§14.2 a request that failed goes again as it was, three times; then it is over', async () => {
    const { posts, events, clock, begin } = rig();
    await begin();
    posts[1]?.fail();
    await quiet();
    clock.advance(50);
    await quiet();
    posts[2]?.fail(503);
    await quiet();
    clock.advance(1_000);
    await quiet();
    expect(new Set(posts.slice(1).map(({ body }) => body)).size).toBe(1);
    expect(posts).toHaveLength(4);
    posts[3]?.fail();
    await quiet();
    expect(events.at(-1)).toBe('close gone');
  });

  it.each([['<body/>', /^error/], ['not XML', /^error/]])('an answer that is none (%s) ends it', async (body, event) => {
    const { posts, events, begin } = rig();
    await begin();
    posts[1]?.answer(`</body>${body}`);
    await quiet();
    expect(events[2]).toMatch(event);
    expect(events.at(-1)).toBe('close');
  });

  it('while nothing is read nothing is asked for, and what came waits', async () => {
    const { wire, posts, events, begin } = rig();
    await begin();
    wire.pause();
    posts[1]?.answer('<a/>');
    await quiet();
    expect([events.length, posts.length]).toEqual([2, 2]);
    wire.resume();
    await quiet();
    expect([events.at(-1), posts.length]).toEqual(['a', 3]);
  });

  it('§13 ends with what was still to be said', async () => {
    const { wire, posts, events, begin, later } = rig();
    await begin();
    wire.write(xml('presence', { type: 'unavailable' }));
    const closed = wire.close();
    await later();
    posts[1]?.answer('');
    await later();
    expect(posts.at(-1)?.body).toContain("type='terminate'");
    expect(posts[2]?.body).toContain('unavailable');
    posts.at(-2)?.answer('');
    posts.at(-1)?.answer('', "type='terminate'");
    await closed;
    await quiet();
    expect(events.at(-1)).toMatch(/^close/);
  });
});
