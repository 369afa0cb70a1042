// What a peer without a key can try with files. It has to be taken by the owner first; then it may send what it likes.
import { randomBytes } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { FileEvent } from '../../../src/api.ts';
import { createTestClock, type TestClock } from '../../../src/clock.ts';
import { destination } from '../../../src/xep/bytestreams.ts';
import { quiet } from '../../support/quiet.ts';
import { seen, SimulatedLan } from '../fixtures.ts';
import { type PlainStream, plainPeer, purpleHeader } from '../plain-peer.ts';
import { type ServiceBox, serviceBox } from '../service-box.ts';
import { first, next, outcome } from './file-events.ts';
import { BYTESTREAMS, IBB, listening, type PlainSender, plainSender } from './plain-offers.ts';

let lan: SimulatedLan;
let a: ServiceBox;
let mallory: PlainSender;
const files = (): ServiceBox['service']['files']['box'] => a.service.files.box;
const folder = (name: string): Promise<string[]> => readdir(join(a.dir, 'files', name)).catch(() => []);

beforeEach(async () => {
  lan = new SimulatedLan();
  a = await serviceBox(lan, 1, 'a', { limits: { fileBytes: 1_000_000 } });
  mallory = await plainSender(lan, 2, 'mallory@h2', a);
});
afterEach(() => lan.close());

describe('offers of a stranger', () => {
  test.each(['-1', '1e9', '0x10', '99999999999999999999', '', ' 5', '1000001', '9007199254740991'])('of %j bytes are refused at once', async (size) => {
    mallory.offer({ size });
    expect(await mallory.answer('0')).toContain("type='error'");
    expect(await files().list()).toEqual([]);
  });

  test('in numbers leave room for others, and for those the owner knows', async () => {
    for (let n = 0; n < 40; n += 1) mallory.offer({ sid: `s${n}` });
    for (const id of ['s8', 's39']) expect(await mallory.answer(id)).toContain('resource-constraint');
    expect(await files().list()).toHaveLength(8);
    const crowd = await Promise.all([3, 4, 5].map((host) => plainSender(lan, host, `mallory@h${host}`, a)));
    for (const one of crowd) for (let n = 0; n < 8; n += 1) one.offer({ sid: `s${n}` });
    await lan.bell.until(async () => (await files().list()).length === 32);
    const late = await plainSender(lan, 6, 'late@h6', a);
    late.offer();
    expect(await late.answer('0')).toContain('resource-constraint');
    const b = await serviceBox(lan, 7, 'b');
    await seen(b, 'a@h1');
    const sending = outcome(b.service.files.box.send('a@h1', { name: 'known', data: randomBytes(3) }));
    const { id } = await first(files().offers(), ({ name }) => name === 'known');
    expect(await files().list()).toHaveLength(32);
    await outcome(files().accept(id));
    expect(await sending).toMatchObject({ type: 'done' });
  });

  test('under one id are one: the second is refused, and the first stays', async () => {
    mallory.offer({ name: 'one' });
    mallory.offer({ name: 'two' });
    expect(await mallory.answer('0')).toContain('conflict');
    expect(await files().list()).toMatchObject([{ name: 'one' }]);
    // The same id from another is another's.
    const eve = await plainSender(lan, 3, 'eve@h3', a);
    eve.offer({ name: 'three' });
    await lan.bell.until(async () => (await files().list()).length === 2);
    eve.iq('set', 'x', `<close xmlns='${IBB}' sid='0'/>`);
    await eve.answer('x');
    expect(await files().list()).toMatchObject([{ name: 'one' }]);
  });

  test('without a way that is known, and without a file, get the error that XEP-0095 has for it', async () => {
    mallory.offer({ methods: ['jabber:iq:oob'] });
    expect(await mallory.answer('0')).toMatch(/bad-request.*no-valid-streams/);
    mallory.iq('set', '1', `<si xmlns='http://jabber.org/protocol/si' id='1' profile='urn:other'/>`);
    expect(await mallory.answer('1')).toMatch(/bad-request.*bad-profile/);
  });

  test('go with the peer that made them', async () => {
    mallory.offer();
    const events = files().watch();
    expect(await next(events, 'offered')).toMatchObject({ name: 'x' });
    lan.withdraw('mallory@h2');
    expect(await next(events, 'failed')).toMatchObject({ code: 'disconnected' });
  });
});

describe('names of a stranger', () => {
  test.each(['../../etc/passwd', '/etc/passwd', '..', '.incoming', 'CON', 'a\\b\\c', 'x'.repeat(300), '&#x202E;fdp.exe'])('%j leads nowhere', async (name) => {
    mallory.offer({ name, methods: [IBB], size: 0 });
    const { id, name: safe } = await first(files().offers());
    const events = files().accept(id);
    await mallory.answer('0');
    mallory.iq('set', '1', `<open xmlns='${IBB}' sid='0' block-size='4096'/>`);
    await mallory.answer('1');
    mallory.iq('set', '2', `<close xmlns='${IBB}' sid='0'/>`);
    await mallory.answer('2');
    expect(await outcome(events)).toMatchObject({ type: 'done', path: join(a.dir, 'files', 'mallory@h2', safe) });
    expect(await readdir(join(a.dir, 'files'))).toEqual(expect.arrayContaining(['.incoming', 'mallory@h2']));
    expect([await readdir(a.dir), await folder('mallory@h2')]).toEqual([['files'], [safe]]);
  });
});

describe('XEP-0047 of a stranger', () => {
  /** An offer of ten bytes that the owner has taken. */
  const accepted = async (): Promise<AsyncIterableIterator<FileEvent>> => {
    mallory.offer({ methods: [IBB] });
    const { id } = await first(files().offers());
    const events = files().accept(id);
    expect(await mallory.answer('0')).toContain(IBB);
    return events;
  };
  const open = async (attrs = "block-size='4096'"): Promise<string> => {
    mallory.iq('set', 'open', `<open xmlns='${IBB}' sid='0' ${attrs}/>`);
    return mallory.answer('open');
  };
  const data = async (seq: number | string, base64: string, id = `d${seq}`): Promise<string> => {
    mallory.iq('set', id, `<data xmlns='${IBB}' sid='0' seq='${seq}'>${base64}</data>`);
    return mallory.answer(id);
  };
  const nothingLeft = async (events: AsyncIterableIterator<FileEvent>): Promise<void> => {
    expect(await outcome(events)).toMatchObject({ type: 'failed' });
    expect(await folder('mallory@h2')).toEqual([]);
    await lan.bell.until(async () => (await folder('.incoming')).length === 0);
    expect(await data(9, '')).toContain('item-not-found');
  };
  const TEN = Buffer.from('0123456789').toString('base64');

  test('§2.2 data without an open, and for an offer that nobody took, is unknown', async () => {
    mallory.offer({ methods: [IBB] });
    await first(files().offers());
    expect(await data(0, TEN)).toContain('item-not-found');
    expect(await open()).toContain('not-acceptable');
    mallory.iq('set', 'c', `<close xmlns='${IBB}' sid='other'/>`);
    expect(await mallory.answer('c')).toContain('item-not-found');
  });

  test.each([["block-size='0'", 'bad-request'], ["block-size='65536'", 'bad-request'], ["block-size='x'", 'bad-request'], ['', 'bad-request'], ["block-size='9' stanza='message'", 'feature-not-implemented']])('§2.1 an open with %j is refused', async (attrs, condition) => {
    await accepted();
    expect(await open(attrs)).toContain(condition);
  });

  test('§2.1 a stream is opened once', async () => {
    await accepted();
    expect(await open()).toContain("type='result'");
    expect(await open()).toContain('not-acceptable');
  });

  test.each<[string, (string | number)[], string]>([
    ['§2.2 a block out of order', [1, TEN], 'unexpected-request'], ['§2.2 a seq that is none', [65_536, TEN], 'bad-request'], ['§2.2 a seq below', ['-1', TEN], 'bad-request'],
    ['§2.2 more than was announced', [0, Buffer.alloc(11).toString('base64')], 'not-acceptable'],
    ['§6 characters that are not base64', [0, 'MDEy MzQ1'], 'bad-request'], ['§6 padding in the middle', [0, 'BBBB=CCC'], 'bad-request'],
    ['§6 padding first', [0, '=AAA'], 'bad-request'], ['§6 bits beyond the end', [0, 'MDEyMzQ1Njc4OR=='], 'bad-request'], ['§6 another alphabet', [0, 'MDE_-zQ1'], 'bad-request'],
  ])('%s ends the stream, and what follows is unknown', async (_, [seq = 0, base64 = ''], condition) => {
    const events = await accepted();
    await open();
    expect(await data(seq, String(base64), 'bad')).toContain(condition);
    expect(await mallory.stream.reads(/<close[^>]*>/)).toContain(IBB); // §2.2: the recipient MUST close it
    await nothingLeft(events);
  });

  test('§2.3 an end that comes too early fails, and its sender is told', async () => {
    const events = await accepted();
    await open();
    await data(0, 'MDEy');
    mallory.iq('set', 'c', `<close xmlns='${IBB}' sid='0'/>`);
    expect(await mallory.answer('c')).toContain("type='error'");
    await nothingLeft(events);
  });

  test('§2.2, §2.3 the right blocks are a file, and data after the end is unknown', async () => {
    const events = await accepted();
    await open("block-size='4'");
    for (const [seq, part] of ['0123', '4567', '89'].entries()) expect(await data(seq, Buffer.from(part).toString('base64'))).toContain("type='result'");
    mallory.iq('set', 'c', `<close xmlns='${IBB}' sid='0'/>`);
    expect(await mallory.answer('c')).toContain("type='result'");
    const { path = '' } = await outcome(events);
    expect(await readFile(path, 'utf8')).toBe('0123456789');
    expect(await data(3, TEN)).toContain('item-not-found');
  });
});

describe('XEP-0065 of a stranger', () => {
  const taken = async (size: number | string = 10): Promise<AsyncIterableIterator<FileEvent>> => {
    mallory.offer({ size });
    const { id } = await first(files().offers());
    const events = files().accept(id);
    expect(await mallory.answer('0')).toContain(BYTESTREAMS);
    return events;
  };
  const query = (...hosts: readonly (readonly [string, number])[]): void => {
    mallory.iq('set', 'q', `<query xmlns='${BYTESTREAMS}' sid='0' mode='tcp'>${hosts.map(([host, port]) => `<streamhost jid='0' host='${host}' port='${port}'/>`).join('')}</query>`);
  };

  test('DESIGN: nothing is connected to but the addresses it announced', async () => {
    const events = await taken();
    const own = await listening(lan, 2);
    const others = await listening(lan, 3);
    const before = lan.dials.length;
    query(['10.77.0.3', others.port], ['127.0.0.1', own.port], ['127.77.0.2', own.port], ['224.0.0.251', 5353], ['255.255.255.255', 1], ['0.0.0.0', own.port], ['::1', own.port], ['::ffff:127.0.0.1', own.port],
      ['10.77.0.1', own.port], ['localhost', own.port], ['example.org', 80], ['10.77.1.2', own.port], ['', own.port]);
    expect(await mallory.answer('q')).toContain('item-not-found');
    expect(await outcome(events)).toMatchObject({ type: 'failed', code: 'unreachable' });
    expect([lan.dials.slice(before), own.callers, others.callers]).toEqual([[], [], []]);
  });

  test('a query for what nobody took, of another, or a second one is refused', async () => {
    query(['10.77.0.2', 1]);
    expect(await mallory.answer('q')).toContain("type='error'");
    const door = await listening(lan, 2);
    await taken();
    const eve = await plainSender(lan, 3, 'eve@h3', a);
    eve.iq('set', 'q', `<query xmlns='${BYTESTREAMS}' sid='0'><streamhost jid='0' host='10.77.0.3' port='${door.port}'/></query>`);
    expect(await eve.answer('q')).toContain('not-acceptable');
    query(['10.77.0.2', door.port]);
    await lan.until(() => door.callers.length === 1);
    mallory.iq('set', 'again', `<query xmlns='${BYTESTREAMS}' sid='0'><streamhost jid='0' host='10.77.0.2' port='${door.port}'/></query>`);
    await quiet();
    expect(door.callers).toHaveLength(1);
  });

  /** The streamhost that the peer plays: says what it likes. */
  const host = async (talk: (socket: { write(bytes: Uint8Array | string): unknown; end(): unknown }, heard: Promise<string>) => void | Promise<void>, size: number | string = 10): Promise<FileEvent> => {
    const events = await taken(size);
    const door = await listening(lan, 2);
    query(['10.77.0.2', door.port]);
    await lan.until(() => door.callers.length === 1);
    const [socket] = door.callers;
    if (!socket) throw new Error('nobody came');
    const heard = new Promise<string>((resolve) => {
      let all = '';
      socket.on('data', (bytes: Buffer) => {
        all += bytes.toString('latin1');
        if (all.length >= 50) resolve(all);
      });
    });
    await talk(socket, heard);
    return outcome(events);
  };
  const reply = Buffer.concat([Buffer.of(5, 0, 5, 0, 0, 3, 9), Buffer.from('10.77.0.1'), Buffer.of(0, 0)]);

  test('as libpurple has it: the reply names an address, and the first bytes come with it', async () => {
    const event = await host(async (socket, heard) => {
      socket.write(Buffer.of(5, 0));
      expect((await heard).slice(8, 48)).toBe(destination('0', 'mallory@h2', 'a@h1'));
      socket.write(Buffer.concat([reply.subarray(2), Buffer.from('01234')]));
      expect(await mallory.answer('q')).toContain('streamhost-used');
      socket.write('56789');
    });
    expect(event).toMatchObject({ type: 'done', sent: 10 });
    expect(await readFile(event.path ?? '', 'utf8')).toBe('0123456789');
  });

  test.each<[string, Buffer, boolean]>([
    ['less than was announced', Buffer.concat([reply, Buffer.alloc(9)]), true], ['more than was announced', Buffer.concat([reply, Buffer.alloc(11)]), false],
    ['what is no SOCKS', Buffer.from('HTTP/1.1 200 OK\r\n\r\n'), false], ['a refusal', Buffer.of(5, 0, 5, 1, 0, 1, 0, 0, 0, 0, 0, 0), false], ['nothing, and hangs up', Buffer.of(), true],
  ])('%s is no file', async (_, bytes, ends) => {
    const event = await host((socket) => {
      socket.write(bytes);
      if (ends) socket.end();
    });
    expect(event.type).toBe('failed');
    expect(await folder('mallory@h2')).toEqual([]);
    await lan.bell.until(async () => (await folder('.incoming')).length === 0);
  });

  test('more than was announced, after a while, is no file either', async () => {
    const event = await host((socket) => {
      socket.write(Buffer.concat([reply, Buffer.alloc(10)]));
      setImmediate(() => socket.write('x'));
    });
    expect(event).toMatchObject({ type: 'failed', code: 'too-large' });
    expect(await folder('mallory@h2')).toEqual([]);
  });
});

describe('a file to a peer without a key', () => {
  let b: PlainStream;
  let peer: Awaited<ReturnType<typeof plainPeer>>;
  /** Its offer was taken; the address of the streamhost, and the answer that says it was connected to. */
  const offered = async (size = 10): Promise<{ readonly sending: Promise<FileEvent>; readonly port: number; readonly sid: string; readonly used: () => void }> => {
    peer = await plainPeer(lan, 3, 'bob@h3');
    await seen(a, 'bob@h3');
    const sending = outcome(files().send('bob@h3', { name: 'x', data: Buffer.alloc(size, '0123456789') }));
    b = await peer.incoming();
    b.write(purpleHeader('bob@h3', 'a@h1'));
    const offer = await b.reads(/<si .*<\/iq>/);
    const sid = / id='([0-9a-f]+)'/.exec(offer)?.[1] ?? '';
    b.write(`<iq type='result' id='${sid}' from='bob@h3' to='a@h1'><si xmlns='http://jabber.org/protocol/si'><feature xmlns='http://jabber.org/protocol/feature-neg'><x xmlns='jabber:x:data' type='submit'><field var='stream-method'><value>${BYTESTREAMS}</value></field></x></feature></si></iq>`);
    const asked = await b.reads(/<iq[^>]*><query .*?<\/iq>/);
    expect(asked).toMatch(/<streamhost jid='a@h1' host='10\.77\.0\.1'/);
    const id = /<iq[^>]* id='([^']+)'[^>]*><query/.exec(asked)?.[1] ?? '';
    return {
      sending, sid, port: Number(/ port='(\d+)'/.exec(asked)?.[1]),
      used: () => b.write(`<iq type='result' id='${id}' from='bob@h3' to='a@h1'><query xmlns='${BYTESTREAMS}'><streamhost-used jid='a@h1'/></query></iq>`),
    };
  };
  const hello = (name: string): Buffer => Buffer.concat([Buffer.of(5, 1, 0, 5, 1, 0, 3, 40), Buffer.from(name), Buffer.of(0, 0)]);
  const connection = async (host: number, port: number): Promise<{ readonly closed: () => boolean; readonly text: () => string; write(bytes: Uint8Array): void }> => {
    const socket = await lan.tcp(host).connect('10.77.0.1', port, 1_000);
    const state = { closed: false, text: '' };
    socket.on('error', () => undefined);
    socket.on('data', (bytes: Buffer) => { state.text += bytes.toString('latin1'); lan.bell.ring(); });
    // As libpurple: it closes when it has what was announced, or when the other side does.
    for (const event of ['end', 'close']) socket.on(event, () => { state.closed = true; socket.end(); lan.bell.ring(); });
    lan.onClose(async () => void socket.destroy());
    return { closed: () => state.closed, text: () => state.text, write: (bytes) => void socket.write(bytes) };
  };

  test('is given to whoever brings the hash from an address of that peer, and to nobody else', async () => {
    const { sending, port, sid, used } = await offered();
    const name = destination(sid, 'a@h1', 'bob@h3');
    // A third party is there first, and even knows the name.
    const thief = await connection(2, port);
    thief.write(hello(name));
    await lan.until(thief.closed);
    expect(thief.text()).toBe('');
    // The peer's own machine, with another name.
    const wrong = await connection(3, port);
    wrong.write(hello('0'.repeat(40)));
    await lan.until(wrong.closed);
    expect(wrong.text()).not.toContain('0123');
    const right = await connection(3, port);
    right.write(hello(name));
    await lan.until(() => right.text().includes(name));
    expect(right.text()).not.toContain('0123'); // not before the peer says that it is its connection
    used();
    expect(await sending).toMatchObject({ type: 'done', sent: 10 });
    expect(right.text().endsWith('0123456789')).toBe(true);
    // The door is closed.
    await expect(lan.tcp(3).connect('10.77.0.1', port, 1_000)).rejects.toMatchObject({ code: 'unreachable' });
    expect(a.troubles.filter(({ kind }) => kind === 'link.files')).not.toEqual([]);
  });

  test('is not given to a crowd: only a few may say their first words at once', async () => {
    const { port, sid, used, sending } = await offered();
    const idle = await Promise.all([1, 2, 3, 4].map(() => connection(3, port)));
    const fifth = await connection(3, port);
    await lan.until(fifth.closed);
    idle[0]?.write(hello(destination(sid, 'a@h1', 'bob@h3')));
    await lan.until(() => (idle[0]?.text().length ?? 0) > 40);
    used();
    expect(await sending).toMatchObject({ type: 'done' });
    await lan.until(() => idle.slice(1).every(({ closed }) => closed()));
  });

  test('fails when the peer says that it has connected, and has not', async () => {
    const { sending, used } = await offered();
    used();
    expect(await sending).toMatchObject({ type: 'failed', code: 'disconnected' });
  });

  test('is taken back when its sender leaves before it was answered', async () => {
    peer = await plainPeer(lan, 3, 'bob@h3');
    await seen(a, 'bob@h3');
    const sending = files().send('bob@h3', { name: 'x', data: Buffer.alloc(3) });
    b = await peer.incoming();
    b.write(purpleHeader('bob@h3', 'a@h1'));
    const sid = / id='([0-9a-f]+)'/.exec(await b.reads(/<si .*<\/iq>/))?.[1] ?? '';
    await sending.return?.();
    expect(await b.reads(/<iq[^>]*>/)).toMatch(new RegExp(`<iq type='error' id='${sid}'`));
  });
});

describe('time', () => {
  let clock: TestClock;
  let b: ServiceBox;
  beforeEach(async () => {
    clock = createTestClock();
    b = await serviceBox(lan, 8, 'b', { clock });
  });
  const offer = async (host: number): Promise<PlainSender> => {
    const sender = await plainSender(lan, host, `eve@h${host}`, b);
    sender.offer({ methods: [IBB] });
    return sender;
  };

  test('an offer that nobody takes is over after five minutes, and its sender is told', async () => {
    const eve = await offer(9);
    const { until = 0 } = await first(b.service.files.box.offers());
    expect(until - clock.wall()).toBe(300_000);
    const events = b.service.files.box.watch();
    clock.advance(299_999);
    expect(await b.service.files.box.list()).toHaveLength(1);
    clock.advance(1);
    expect(await next(events, 'failed')).toMatchObject({ code: 'timeout' });
    expect(await eve.answer('0')).toContain('recipient-unavailable');
  });

  test('a sender that does not begin, or stops without a word, is not waited for', async () => {
    const eve = await offer(9);
    const { id } = await first(b.service.files.box.offers());
    const events = b.service.files.box.accept(id);
    await eve.answer('0');
    clock.advance(30_000);
    expect(await outcome(events)).toMatchObject({ type: 'failed', code: 'timeout' });
    const ann = await offer(10);
    const again = b.service.files.box.accept((await first(b.service.files.box.offers())).id);
    await ann.answer('0');
    ann.iq('set', 'o', `<open xmlns='${IBB}' sid='0' block-size='4096'/>`);
    await ann.answer('o');
    clock.advance(40_000);
    ann.iq('set', 'd', `<data xmlns='${IBB}' sid='0' seq='0'>MDEy</data>`);
    await ann.answer('d');
    clock.advance(40_000);
    expect(await b.service.files.box.list()).toHaveLength(1);
    clock.advance(30_000);
    expect(await outcome(again)).toMatchObject({ type: 'failed', code: 'timeout', sent: 3 });
  });
});
