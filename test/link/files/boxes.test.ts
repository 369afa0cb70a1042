// Files between two boxes: XEP-0096 offers, XEP-0047 streams within the encrypted one.
import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { MemoryDatabase } from '../../../src/log/memory-database.ts';
import { xml } from '../../../src/xmpp/element.ts';
import { acquainted, SimulatedLan } from '../fixtures.ts';
import { type ServiceBox, serviceBox, type ServiceBoxSetup } from '../service-box.ts';
import { first, next, outcome } from './file-events.ts';

let lan: SimulatedLan;
let a: ServiceBox;
let b: ServiceBox;

const meet = async (setup: ServiceBoxSetup = {}): Promise<void> => {
  [a, b] = await Promise.all([serviceBox(lan, 1, 'a'), serviceBox(lan, 2, 'b', setup)]);
  await acquainted(a, b);
};
/** What a sends, b takes without asking. */
const trusting = async (setup: ServiceBoxSetup = {}): Promise<void> => {
  await meet(setup);
  await b.trust.allow(a.identity.fingerprint, 'files');
};
const files = (box: ServiceBox): ServiceBox['service']['files']['box'] => box.service.files.box;
/** Where files of the one lie at the other. */
const folderOf = (from: ServiceBox, at: ServiceBox): string => join(at.dir, 'files', `${from.link.name}=${from.identity.fingerprint.slice(0, 16)}`);
const stored = (box: ServiceBox): Promise<string[]> => readdir(folderOf(a, box)).catch(() => []);
const onTheWay = (box: ServiceBox): Promise<string[]> => readdir(join(box.dir, 'files', '.incoming')).catch(() => []);

beforeEach(() => { lan = new SimulatedLan(); });
afterEach(() => lan.close());

describe('a file to another box', () => {
  test.each([0, 1, 4_095, 16_384, 16_385, 1_000_003])('of %i bytes arrives whole, when its owner takes it', async (size) => {
    await meet();
    const data = randomBytes(size);
    const sending = files(a).send('b@h2', { name: 'grüße <1> & "2".bin', data }, { description: 'for you' });
    const offer = await first(files(b).offers());
    expect(offer).toMatchObject({
      type: 'offered', direction: 'in', peer: 'a@h1', trust: 'seen', fingerprint: a.identity.fingerprint, name: 'grüße _1_ & _2_.bin', size, sent: 0, description: 'for you',
    });
    const [received, sent] = await Promise.all([outcome(files(b).accept(offer.id)), outcome(sending)]);
    expect(sent).toMatchObject({ type: 'done', direction: 'out', peer: 'b@h2', size, sent: size });
    expect(received).toMatchObject({ type: 'done', direction: 'in', size, sent: size, path: join(folderOf(a, b), 'grüße _1_ & _2_.bin') });
    expect(data.equals(await readFile(received.path ?? ''))).toBe(true);
    expect(await onTheWay(b)).toEqual([]);
    expect(await files(a).list()).toEqual([]);
    expect(await files(b).list()).toEqual([]);
  });

  test('is told of step by step, to both sides and to whoever watches', async () => {
    await meet();
    const seen: string[] = [];
    const watching = (async () => { for await (const { type } of files(b).watch()) seen.push(type); })();
    const steps: string[] = [];
    const sending = files(a).send('b@h2', { name: 'x', data: randomBytes(100_000) });
    const { id } = await first(files(b).offers());
    await Promise.all([outcome(files(b).accept(id)), (async () => { for await (const { type } of sending) steps.push(type); })()]);
    expect(new Set(steps.slice(2, -1))).toEqual(new Set(steps.length > 3 ? ['progress'] : []));
    expect([steps[0], steps[1], steps.at(-1)]).toEqual(['offered', 'accepted', 'done']);
    await b.close();
    await watching;
    expect([seen[0], seen[1], seen.at(-1)]).toEqual(['offered', 'accepted', 'done']);
  });

  test('from the disk is read there, and only a plain file', async () => {
    await trusting();
    const path = join(a.dir, 'report.pdf');
    await writeFile(path, 'content');
    const sent = await outcome(files(a).send('link:b@h2', path));
    expect(sent).toMatchObject({ type: 'done', name: 'report.pdf', size: 7 });
    await expect(outcome(files(a).send('b@h2', a.dir))).rejects.toMatchObject({ code: 'invalid-value' });
    await expect(outcome(files(a).send('b@h2', join(a.dir, 'nothing')))).rejects.toMatchObject({ code: 'not-found' });
    await expect(outcome(files(a).send('b@h2', '/dev/zero'))).rejects.toMatchObject({ code: 'invalid-value' });
    expect(() => files(a).send('b@h2', 5 as unknown as string)).toThrow(TypeError);
    await expect(outcome(files(a).send('nobody@h9', path))).rejects.toMatchObject({ code: 'unreachable' });
  });

  test('is announced as a thing that this box can do, by its names in disco', async () => {
    await meet();
    const answer = await a.link.request('b@h2', xml('iq', { type: 'get' }, xml('query', { xmlns: 'http://jabber.org/protocol/disco#info' })));
    const features = answer.getChild('query')?.getChildren('feature').map(({ attrs }) => String(attrs['var']));
    expect(features).toEqual(expect.arrayContaining([
      'http://jabber.org/protocol/si', 'http://jabber.org/protocol/si/profile/file-transfer', 'http://jabber.org/protocol/bytestreams', 'http://jabber.org/protocol/ibb',
      'urn:xmpp:hashes:2', 'urn:xmpp:hash-function-text-names:sha-256',
    ]));
  });

  test('is taken without asking only from whom the owner said so', async () => {
    await trusting();
    expect(await outcome(files(a).send('b@h2', { name: 'x', data: randomBytes(3) }))).toMatchObject({ type: 'done' });
    expect(await outcome(files(a).send('b@h2', { name: 'x', data: randomBytes(3) }))).toMatchObject({ type: 'done' });
    // Nothing is overwritten.
    expect((await stored(b)).toSorted()).toEqual(['x', 'x (2)']);
    await b.trust.revoke(a.identity.fingerprint);
    const asked = files(a).send('b@h2', { name: 'y', data: randomBytes(3) });
    expect(await first(files(b).offers())).toMatchObject({ name: 'y', trust: 'seen' });
    await asked.return?.();
  });

  test('of whom the owner wants none is refused without asking', async () => {
    await meet();
    await b.trust.deny(a.identity.fingerprint, 'files');
    expect(await outcome(files(a).send('b@h2', { name: 'x', data: randomBytes(3) }))).toMatchObject({ type: 'failed', code: 'forbidden' });
    await b.trust.allow(a.identity.fingerprint, 'files');
    expect(await outcome(files(a).send('b@h2', { name: 'x', data: randomBytes(3) }))).toMatchObject({ type: 'done' });
  });

  test('ends when the box that gets it is stopped, and when the one that sends it is', async () => {
    for (const stops of ['receiver', 'sender']) {
      await meet();
      const sending = outcome(files(a).send('b@h2', { name: 'x', data: randomBytes(20_000_000) }));
      const { id } = await first(files(b).offers());
      const events = files(b).accept(id);
      await next(events, 'progress');
      const place = folderOf(a, b);
      await (stops === 'receiver' ? b : a).close();
      expect(await sending).toMatchObject({ type: 'failed' });
      expect(await outcome(events)).toMatchObject({ type: 'failed' });
      expect(await readdir(place).catch(() => [])).toEqual([]);
      await lan.close();
      lan = new SimulatedLan();
    }
  });

  test('that is not what was announced does not get its name, and both sides are told', async () => {
    await meet();
    const path = join(a.dir, 'changing');
    await writeFile(path, 'as it was offered');
    const sending = outcome(files(a).send('b@h2', path));
    const { id } = await first(files(b).offers());
    await writeFile(path, 'as it is now, OK?');
    expect(await outcome(files(b).accept(id))).toMatchObject({ type: 'failed', code: 'conflict' });
    expect(await sending).toMatchObject({ type: 'failed', code: 'conflict', message: 'b@h2 did not take the file: what came is not what was announced' });
    await lan.bell.until(async () => (await onTheWay(b)).length === 0);
    expect(await stored(b)).toEqual([]);
  });

  test('that becomes shorter while it is sent fails on both sides', async () => {
    await meet();
    const path = join(a.dir, 'changing');
    await writeFile(path, 'as it was offered');
    const sending = outcome(files(a).send('b@h2', path));
    const { id } = await first(files(b).offers());
    await writeFile(path, 'short');
    const [received, sent] = await Promise.all([outcome(files(b).accept(id)), sending]);
    expect([received.code, sent.code, sent.message]).toEqual(['disconnected', 'conflict', 'changing became shorter while it was sent']);
    expect(await stored(b)).toEqual([]);
  });

  test('that nobody wants is told to its sender', async () => {
    await meet();
    const sending = outcome(files(a).send('b@h2', { name: 'x', data: randomBytes(3) }));
    const { id } = await first(files(b).offers());
    await files(b).decline(id);
    expect(await sending).toMatchObject({ type: 'failed', code: 'forbidden', message: 'b@h2 did not want the file' });
    await expect(files(b).decline(id)).rejects.toMatchObject({ code: 'not-found' });
    await expect(outcome(files(b).accept(id))).rejects.toMatchObject({ code: 'not-found' });
  });

  test('is taken back by its sender before it was accepted', async () => {
    await meet();
    const sending = files(a).send('b@h2', { name: 'x', data: randomBytes(3) });
    const watching = files(b).watch();
    expect((await watching.next()).value).toMatchObject({ type: 'offered' });
    await sending.return?.();
    expect((await watching.next()).value).toMatchObject({ type: 'failed', code: 'disconnected', message: 'a@h1 has taken the offer back' });
    expect([await files(a).list(), await files(b).list()]).toEqual([[], []]);
  });

  test('whose sender stops in the middle leaves nothing behind', async () => {
    await meet();
    const stopper = new AbortController();
    const sending = files(a).send('b@h2', { name: 'x', data: randomBytes(20_000_000) }, { signal: stopper.signal });
    const ended = outcome(sending);
    ended.catch(() => undefined);
    const { id } = await first(files(b).offers());
    const events = files(b).accept(id);
    await next(events, 'progress');
    stopper.abort(new Error('enough'));
    await expect(ended).rejects.toThrow('enough');
    expect(await outcome(events)).toMatchObject({ type: 'failed', code: 'disconnected' });
    await lan.bell.until(async () => (await onTheWay(b)).length === 0);
    expect(await stored(b)).toEqual([]);
  });

  test('whose receiver stops in the middle is told to its sender', async () => {
    await meet();
    const sending = outcome(files(a).send('b@h2', { name: 'x', data: randomBytes(20_000_000) }));
    const { id } = await first(files(b).offers());
    const events = files(b).accept(id);
    await next(events, 'progress');
    await files(b).decline(id);
    expect(await outcome(events)).toMatchObject({ type: 'failed', code: 'closed' });
    // By the refusal of a block, or by the end of the bytes: whichever is there first.
    expect(await sending).toMatchObject({ type: 'failed', code: expect.stringMatching(/^(disconnected|forbidden)$/) });
    expect(await stored(b)).toEqual([]);
  });

  test('goes on over the stream that takes the place of a broken one', async () => {
    await meet();
    const data = randomBytes(20_000_000);
    const sending = outcome(files(a).send('b@h2', { name: 'x', data }));
    const { id } = await first(files(b).offers());
    const events = files(b).accept(id);
    await next(events, 'progress');
    for (const socket of lan.sockets) socket.destroy();
    expect(await sending).toMatchObject({ type: 'done' });
    const done = await outcome(events);
    expect(done).toMatchObject({ type: 'done', path: expect.any(String) });
    expect(Buffer.compare(await readFile(done.path ?? ''), data)).toBe(0);
  });
});

describe('many files', () => {
  test('go both ways at once, each to its end', async () => {
    await trusting();
    await a.trust.allow(b.identity.fingerprint, 'files');
    const sizes = [0, 1, 70_000, 300_000, 1_000_000, 2_000_000, 65_536, 16_384];
    const all = sizes.flatMap((size, n) => [{ from: a, to: b }, { from: b, to: a }].map(async ({ from, to }) => {
      const data = randomBytes(size);
      const done = await outcome(files(from).send(to.link.name, { name: `${n}.bin`, data }));
      expect(done).toMatchObject({ type: 'done', sent: size });
      const path = join(folderOf(from, to), `${n}.bin`);
      expect(Buffer.compare(await readFile(path), data)).toBe(0);
    }));
    await Promise.all(all);
    // One more than may be on their way.
    const nine = await Promise.all(Array.from({ length: 9 }, (_, n) => outcome(files(a).send('b@h2', { name: `more ${n}`, data: randomBytes(500_000) }))));
    expect(nine.filter(({ type }) => type === 'done').length).toBeGreaterThanOrEqual(8);
    for (const { type, code } of nine) expect(['done', 'busy']).toContain(code ?? type);
    expect([await files(a).list(), await files(b).list(), await onTheWay(b)]).toEqual([[], [], []]);
  });
});

describe('what a box takes has bounds', () => {
  test('a file that is too large is refused at once', async () => {
    await meet({ limits: { fileBytes: 1_000 } });
    expect(await outcome(files(a).send('b@h2', { name: 'x', data: randomBytes(1_001) }))).toMatchObject({ type: 'failed', code: 'too-large' });
    expect(await files(b).list()).toEqual([]);
  });

  test('a full folder is told to the owner, who can make room and accept again', async () => {
    await meet({ limits: { peerFilesBytes: 1_500 } });
    const send = (): ReturnType<typeof outcome> => outcome(files(a).send('b@h2', { name: 'x', data: randomBytes(1_000) }));
    const one = send();
    await outcome(files(b).accept((await first(files(b).offers())).id));
    await one;
    const two = send();
    const { id } = await first(files(b).offers());
    await expect(outcome(files(b).accept(id))).rejects.toMatchObject({ code: 'disk-full' });
    await rm(join(folderOf(a, b), 'x'));
    expect(await outcome(files(b).accept(id))).toMatchObject({ type: 'done' });
    expect(await two).toMatchObject({ type: 'done' });
  });

  test('where files are taken without asking, a full folder is told to the sender', async () => {
    await trusting({ limits: { filesBytes: 1_500 } });
    expect(await outcome(files(a).send('b@h2', { name: 'x', data: randomBytes(1_000) }))).toMatchObject({ type: 'done' });
    expect(await outcome(files(a).send('b@h2', { name: 'x', data: randomBytes(1_000) }))).toMatchObject({ type: 'failed', code: 'busy' });
  });

  test('the disk keeps its floor', async () => {
    const database = new MemoryDatabase();
    await trusting({ database, limits: { diskFloor: 1_000 } });
    database.freeBytes = 1_999;
    expect(await outcome(files(a).send('b@h2', { name: 'x', data: randomBytes(1_000) }))).toMatchObject({ type: 'failed', code: 'busy' });
    database.freeBytes = 2_000;
    expect(await outcome(files(a).send('b@h2', { name: 'x', data: randomBytes(1_000) }))).toMatchObject({ type: 'done' });
  });

  test('a disk that fills up on the way ends the transfer, and its sender is told', async () => {
    const database = new MemoryDatabase();
    await meet({ database });
    const sending = outcome(files(a).send('b@h2', { name: 'x', data: randomBytes(20_000_000) }));
    const { id } = await first(files(b).offers());
    const events = files(b).accept(id);
    await next(events, 'accepted');
    database.freeBytes = 0;
    expect(await outcome(events)).toMatchObject({ type: 'failed', code: 'disk-full' });
    expect(await sending).toMatchObject({ type: 'failed', code: 'busy' });
    expect(await stored(b)).toEqual([]);
  });

  test('nothing is written by way of a link that leads elsewhere', async () => {
    await trusting();
    const elsewhere = join(a.dir, 'elsewhere');
    await mkdir(elsewhere);
    await mkdir(join(b.dir, 'files'), { recursive: true });
    await symlink(elsewhere, folderOf(a, b));
    expect(await outcome(files(a).send('b@h2', { name: 'x', data: randomBytes(10) }))).toMatchObject({ type: 'failed' });
    expect(await readdir(elsewhere)).toEqual([]);
    await rm(folderOf(a, b));
    await mkdir(folderOf(a, b));
    await writeFile(join(elsewhere, 'kept'), 'as it was');
    await symlink(join(elsewhere, 'kept'), join(folderOf(a, b), 'x'));
    await symlink(join(elsewhere, 'new'), join(folderOf(a, b), 'x (2)'));
    expect(await outcome(files(a).send('b@h2', { name: 'x', data: randomBytes(10) }))).toMatchObject({ type: 'done' });
    expect((await stored(b)).toSorted()).toEqual(['x', 'x (2)', 'x (3)']);
    expect(await readdir(elsewhere)).toEqual(['kept']);
    expect(await readFile(join(elsewhere, 'kept'), 'utf8')).toBe('as it was');
  });
});
