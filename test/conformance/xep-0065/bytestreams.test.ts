import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { FileEvent } from '../../../src/api.ts';
import { destination } from '../../../src/xep/bytestreams.ts';
import { seen, SimulatedLan } from '../../link/fixtures.ts';
import { first, outcome } from '../../link/files/file-events.ts';
import { BYTESTREAMS, listening, type PlainSender, plainSender } from '../../link/files/plain-offers.ts';
import { type PlainStream, plainPeer, purpleHeader } from '../../link/plain-peer.ts';
import { type ServiceBox, serviceBox } from '../../link/service-box.ts';
import { quiet } from '../../support/quiet.ts';

let lan: SimulatedLan;
let a: ServiceBox;
let mallory: PlainSender;
const files = (): ServiceBox['service']['files']['box'] => a.service.files.box;
const folder = (name: string): Promise<string[]> => readdir(join(a.dir, 'files', name)).catch(() => []);

beforeEach(async () => {
  lan = new SimulatedLan();
  a = await serviceBox(lan, 1, 'a');
  mallory = await plainSender(lan, 2, 'mallory@h2', a);
});
afterEach(() => lan.close());

describe('XEP-0065 SOCKS5 Bytestreams, the target', () => {
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

describe('XEP-0065 SOCKS5 Bytestreams, the requester', () => {
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
