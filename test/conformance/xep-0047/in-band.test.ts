// What it sends, and how it counts, is in test/link/files/in-band.test.ts.
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { FileEvent } from '../../../src/api.ts';
import { SimulatedLan } from '../../link/fixtures.ts';
import { first, outcome } from '../../link/files/file-events.ts';
import { IBB, type PlainSender, plainSender } from '../../link/files/plain-offers.ts';
import { type ServiceBox, serviceBox } from '../../link/service-box.ts';

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

describe('XEP-0047 In-Band Bytestreams, the receiver', () => {
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
