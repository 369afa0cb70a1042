import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { bodyRoom, decodeBody, encodeBody, isPlain, writeBody } from '../../src/log/body.ts';
import { type Draft, HEADER_BYTES, decodeHeader, encodeRecord, recordBody, recordIntact, recordTopic } from '../../src/log/record.ts';
import { longRecord } from './format-three.ts';

const text = fc.string({ unit: 'grapheme', maxLength: 40 });
const draft: fc.Arbitrary<Draft> = fc.record({
  topic: fc.constant('t'),
  kind: fc.constantFrom('publish', 'retract', 'purge', 'delete', 'configure'),
  id: text,
  payload: fc.record({ contentType: fc.oneof(fc.constantFrom('application/json', 'text/plain', 'application/xml'), text), bytes: fc.uint8Array({ maxLength: 300 }) }),
  publisher: text,
  origin: fc.record({ box: text, epoch: text, seq: fc.maxSafeNat(), previous: fc.maxSafeNat() }, { requiredKeys: ['box', 'epoch', 'seq'] }),
  extra: fc.dictionary(fc.string().filter((key) => key !== '__proto__'), fc.oneof(fc.integer(), text, fc.boolean(), fc.constant(null))),
  config: fc.record({ maxItems: fc.nat(), lane: fc.constantFrom('history', 'latest') }),
  expires: fc.maxSafeNat(),
}, { requiredKeys: ['topic', 'kind'] });
const u48 = fc.maxSafeNat().map((value) => value % 2 ** 48);
const header = fc.record({
  kind: fc.constantFrom('publish', 'retract', 'gap'), topic: fc.nat(2 ** 32 - 1), previous: u48,
  wall: u48, mono: fc.nat(), trusted: fc.boolean(), elsewhere: fc.constant(true),
}, { requiredKeys: ['kind', 'topic', 'previous', 'wall', 'mono', 'trusted'] });

function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value, (_, v: unknown) => (v instanceof Uint8Array ? Buffer.from(v).toString('hex') : v)));
}

it('gives back what was put in', () => {
  fc.assert(fc.property(draft, header, ({ topic: _topic, kind: _kind, ...body }, head) => {
    const row = encodeRecord(head, encodeBody({ topic: 't', kind: 'publish', ...body }));
    expect(recordIntact(row)).toBe(true);
    expect(decodeHeader(row)).toEqual(head);
    expect(plain(decodeBody(recordBody(row)))).toEqual(plain(body));
  }));
});

it.each([[-8.64e15, 0], [2 ** 48 - 1, 2 ** 48 - 1], [2 ** 48, 2 ** 48 - 1], [8.64e15, 2 ** 48 - 1]])('keeps a time that it has no room for as near as it can: %d', (wall, kept) => {
  expect(decodeHeader(encodeRecord({ kind: 'publish', topic: 1, previous: 0, wall, mono: 1, trusted: true }, encodeBody({ topic: 't', kind: 'publish' }))).wall).toBe(kept);
});

it('reads what formats up to 3 have written, and notices when it is not that', () => {
  fc.assert(fc.property(draft, header, fc.nat(), ({ topic: _topic, kind: _kind, ...body }, head, at) => {
    const row = longRecord(head, encodeBody({ topic: 't', kind: 'publish', ...body }));
    expect(recordIntact(row)).toBe(true);
    expect(decodeHeader(row)).toEqual(head);
    expect(recordTopic(row)).toBe(head.topic);
    expect(plain(decodeBody(recordBody(row)))).toEqual(plain(body));
    const bit = at % (row.length * 8);
    row[bit >> 3] = (row[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    expect(recordIntact(row)).toBe(false);
  }));
});

it('gives bytes as a Uint8Array of their own length', () => {
  const row = encodeRecord({ kind: 'publish', topic: 1, previous: 0, wall: 1, mono: 1, trusted: true }, encodeBody({ topic: 't', kind: 'publish', payload: { contentType: 'x/y', bytes: Buffer.from('abc') } }));
  const bytes = decodeBody(recordBody(row)).payload?.bytes;
  expect(bytes).toEqual(Uint8Array.from([97, 98, 99]));
});

it('notices any flipped bit', () => {
  fc.assert(fc.property(draft, fc.nat(), (one, at) => {
    const row = encodeRecord({ kind: 'publish', topic: 7, previous: 3, wall: 1e12, mono: 5, trusted: true }, encodeBody(one));
    const bit = at % (row.length * 8);
    row[bit >> 3] = (row[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    expect(recordIntact(row)).toBe(false);
  }));
});

it('takes nothing that is too short', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: HEADER_BYTES + 4 }), (bytes) => {
    expect(recordIntact(bytes)).toBe(false);
  }));
});

it('writes a plain body as the library would read and write it', () => {
  fc.assert(fc.property(draft.filter(isPlain), fc.nat(40), (one, at) => {
    const to = Buffer.alloc(at + bodyRoom(one), 0xee);
    const end = writeBody(to, at, one);
    expect(end).toBeLessThanOrEqual(to.length);
    expect(to.subarray(end)).toEqual(Buffer.alloc(to.length - end, 0xee));
    const { topic: _topic, kind: _kind, ...body } = one;
    expect(plain(decodeBody(to.subarray(at, end)))).toEqual(plain(body));
    // Field for field; the library writes big numbers and lengths in other, equally valid, forms.
    expect(plain(decodeBody(encodeBody(one)))).toEqual(plain(body));
  }));
});
