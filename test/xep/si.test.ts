import { property, assert, record, string, maxSafeNat, option, subarray, uint8Array } from 'fast-check';
import { describe, expect, test } from 'vitest';
import { buildStreamhosts, destination, NS_BYTESTREAMS, parseStreamhosts } from '../../src/xep/bytestreams.ts';
import { buildData, parseData } from '../../src/xep/ibb.ts';
import { buildAnswer, buildOffer, NS_FILE_TRANSFER, NS_SI, parseAnswer, parseOffer } from '../../src/xep/si.ts';
import { type Element, parseElement, serialize, xml } from '../../src/xmpp/element.ts';
import { iqPayload } from '../../src/xmpp/stanza.ts';
import { isLegal } from '../../src/xml/text.ts';

const wired = (element: Element): Element => parseElement(serialize(element));
const payload = (iq: Element): Element => iqPayload(wired(iq)) ?? iq;
const METHODS = ['http://jabber.org/protocol/bytestreams', 'http://jabber.org/protocol/ibb'];
const text = string({ unit: 'grapheme', minLength: 1, maxLength: 50 }).filter((one) => isLegal(one) && !/[\r\n\t]/.test(one));

describe('an offer', () => {
  test('says the same at the other end', () => {
    const offers = record({
      sid: text, name: text, size: maxSafeNat().filter((size) => size < 1e15), description: option(text, { nil: undefined }), methods: subarray(METHODS),
      sha256: option(uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString('base64')), { nil: undefined }),
    });
    assert(property(offers, (offer) => {
      const { description, sha256, ...rest } = offer;
      const given = { ...rest, ...(description === undefined ? {} : { description }), ...(sha256 === undefined ? {} : { sha256 }) };
      expect(parseOffer(payload(buildOffer(given)))).toEqual(given);
    }));
  });

  test('is read as libpurple writes it', () => {
    const si = parseElement(`<si xmlns='http://jabber.org/protocol/si' profile='http://jabber.org/protocol/si/profile/file-transfer' id='0'><file xmlns='http://jabber.org/protocol/si/profile/file-transfer' name='sent.bin' size='100000'/><feature xmlns='http://jabber.org/protocol/feature-neg'><x xmlns='jabber:x:data' type='form'><field var='stream-method' type='list-single'><option><value>http://jabber.org/protocol/bytestreams</value></option></field></x></feature></si>`);
    expect(parseOffer(si)).toEqual({ sid: '0', name: 'sent.bin', size: 100_000, methods: [METHODS[0]] });
  });

  const offer = (attrs: Record<string, string>, file: Record<string, string>): Element =>
    xml('si', { xmlns: NS_SI, id: 'x', profile: NS_FILE_TRANSFER, ...attrs }, xml('file', { xmlns: NS_FILE_TRANSFER, name: 'n', size: '1', ...file }));

  test.each<[string, Element]>([
    ['no id', offer({ id: '' }, {})], ['another profile', offer({ profile: 'urn:other' }, {})], ['no name', offer({}, { name: '' })],
    ['a negative size', offer({}, { size: '-1' })], ['a size that no number holds', offer({}, { size: '99999999999999999999' })],
    ['a size in words', offer({}, { size: '1e3' })], ['no size', offer({}, { size: '' })], ['a size with a fraction', offer({}, { size: '1.5' })],
    ['a name without an end', offer({}, { name: 'x'.repeat(1_025) })], ['no file', xml('si', { xmlns: NS_SI, id: 'x', profile: NS_FILE_TRANSFER })],
  ])('with %s is none', (_, si) => {
    expect(() => parseOffer(si)).toThrow(expect.objectContaining({ name: 'StanzaError', condition: 'bad-request' }));
  });

  test('is answered with the way that is chosen', () => {
    expect(parseAnswer(wired(xml('iq', { type: 'result' }, buildAnswer('urn:way'))))).toBe('urn:way');
    expect(parseAnswer(xml('iq', { type: 'result' }))).toBeUndefined();
  });
});

describe('streamhosts', () => {
  test('are read as they were written', () => {
    const query = { sid: '0', streamhosts: [{ jid: '0', host: 'fe80::1', port: 40_989 }, { jid: '0', host: '10.77.0.1', port: 1 }] };
    expect(parseStreamhosts(payload(buildStreamhosts(query)))).toEqual(query);
  });

  test('that cannot be one are left out, and of many the first', () => {
    const host = (port: string): Element => xml('streamhost', { jid: 'j', host: 'h', port });
    const query = xml('query', { xmlns: NS_BYTESTREAMS, sid: '0' }, ...['0', '65536', '-1', 'x', ''].map(host), xml('streamhost', { jid: 'j' }), host('80'));
    expect(parseStreamhosts(query).streamhosts).toEqual([{ jid: 'j', host: 'h', port: 80 }]);
    const many = xml('query', { xmlns: NS_BYTESTREAMS, sid: '0' }, ...Array.from({ length: 1_000 }, () => host('80')));
    expect(parseStreamhosts(many).streamhosts).toHaveLength(16);
  });

  test('are asked for the SHA-1 of the stream and both names', () => {
    // sid, sender, receiver, nothing between.
    expect(destination('0', 'alice@h1', 'bob@h2')).toBe('016f2f5ee408e685e052d0fb56e22e61f0113e8a');
  });
});

describe('a block', () => {
  test('of any bytes is the same at the other end', () => {
    assert(property(uint8Array({ maxLength: 300 }), (bytes) => {
      const { bytes: read, ...rest } = parseData(payload(buildData({ sid: 's', seq: 65_535, bytes })));
      expect(rest).toEqual({ sid: 's', seq: 65_535 });
      expect(Buffer.compare(read, bytes)).toBe(0);
    }));
  });
});
