// What a peer without a key can try with files. It has to be taken by the owner first; then it may send what it likes.
import { randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createTestClock, type TestClock } from '../../../src/clock.ts';
import { seen, SimulatedLan } from '../fixtures.ts';
import { type ServiceBox, serviceBox } from '../service-box.ts';
import { first, next, outcome } from './file-events.ts';
import { IBB, type PlainSender, plainSender } from './plain-offers.ts';

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

  test('a sender that drips has its place for ten minutes, not for ever', async () => {
    const eve = await plainSender(lan, 9, 'eve@h9', b);
    eve.offer({ methods: [IBB], size: 100_000 });
    const events = b.service.files.box.accept((await first(b.service.files.box.offers())).id);
    await eve.answer('0');
    eve.iq('set', 'o', `<open xmlns='${IBB}' sid='0' block-size='4096'/>`);
    await eve.answer('o');
    for (let n = 0; n < 12; n++) {
      eve.iq('set', `d${n}`, `<data xmlns='${IBB}' sid='0' seq='${n}'>MDEy</data>`);
      await eve.answer(`d${n}`);
      clock.advance(50_000);
    }
    expect(await outcome(events)).toMatchObject({ type: 'failed', code: 'timeout', sent: 36, message: expect.stringContaining('36 bytes') as string });
  });

  test('of one sender so many are on their way at once that others have room', async () => {
    const eve = await plainSender(lan, 9, 'eve@h9', b);
    for (let n = 0; n < 6; n++) eve.offer({ sid: `s${n}`, methods: [IBB] });
    await lan.bell.until(async () => (await b.service.files.box.list()).length === 6);
    const [...offers] = await b.service.files.box.list();
    const accepted = offers.slice(0, 4).map(({ id }) => b.service.files.box.accept(id));
    await Promise.all(accepted.map((events) => next(events, 'accepted')));
    await expect(outcome(b.service.files.box.accept(offers[4]?.id ?? ''))).rejects.toMatchObject({ code: 'busy', message: expect.stringContaining('from eve@h9') as string });
  });

  test('of all who are not paired so many are on their way at once that who is has room', async () => {
    const { box } = b.service.files;
    const eves = await Promise.all([7, 8, 9].map((host) => plainSender(lan, host, `eve@h${host}`, b)));
    for (const eve of eves) for (let n = 0; n < 3; n++) eve.offer({ sid: `s${n}`, methods: [IBB] });
    await lan.bell.until(async () => (await box.list()).length === 9);
    const offers = await box.list();
    const [last] = offers.slice(-1);
    await Promise.all(offers.slice(0, 6).map(({ id }) => next(box.accept(id), 'accepted')));
    await expect(outcome(box.accept(last?.id ?? ''))).rejects.toMatchObject({ code: 'busy', message: expect.stringContaining('not paired') as string });
  });
});
