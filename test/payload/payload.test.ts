import * as fc from 'fast-check';
import { isDeepStrictEqual } from 'node:util';
import { createContext, runInContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import type { Value } from '../../src/api.ts';
import { LanpostError } from '../../src/errors.ts';
import { checkCbor, decodeCbor, encodeCbor } from '../../src/payload/cbor.ts';
import { fromPayload, type Payload, toPayload } from '../../src/payload/payload.ts';
import { elementToPayload, payloadToElement } from '../../src/payload/xml.ts';
import { parseElement } from '../../src/xml/parse.ts';
import { serialize, serializeStandalone } from '../../src/xml/serialize.ts';
import { type Element, xml } from '../../src/xml/element.ts';
import { XmlFault } from '../../src/xml/fault.ts';
import { bytes, text, unsigned, value as any, withBytes } from './arbitrary.ts';

it('4.5 MiB of base64 are read, and what only looks like base64 is not', () => {
  const data = (base64: string): Payload => elementToPayload(xml('data', { xmlns: 'urn:lanpost:0', type: 'application/octet-stream' }, base64));
  expect(data('A'.repeat(4.5 * 2 ** 20)).bytes.length).toBe(4.5 * 2 ** 20 / 4 * 3);
  for (const wrong of ['A', 'AA', 'AA=', 'AB==', 'AAB=', 'A===', 'AA==AA==', 'AA-_', 'Ä'.repeat(4)]) expect(data(wrong).contentType).toBe('application/xml');
});

function wellFormed(source: string): Element[] {
  try {
    return [parseElement(source)];
  } catch (error) {
    if (error instanceof XmlFault) return [];
    throw error;
  }
}

/** What has come as an element goes out again as it would if it had been looked at. */
const goesOnAlike = ({ contentType, bytes: raw, legible }: Payload): boolean => legible !== true
  || serialize(payloadToElement({ contentType, bytes: raw, legible })) === serialize(payloadToElement({ contentType, bytes: raw }));

const trip = (value: Value, contentType?: string): Value => {
  const payload = toPayload(value, contentType);
  const back = elementToPayload(parseElement(serialize(payloadToElement(payload))));
  expect(back.contentType).toBe(payload.contentType);
  expect(goesOnAlike(back)).toBe(true);
  expect(Buffer.from(back.bytes).equals(payload.bytes)).toBe(true);
  return fromPayload(back);
};

describe('values', () => {
  it('survive bytes and XML unchanged', () => {
    fc.assert(fc.property(any, (value) => { expect(isDeepStrictEqual(trip(value), value)).toBe(true); }), { numRuns: 500 });
  });
  it('have the media type that fits', () => {
    expect(toPayload('x').contentType).toBe('text/plain');
    expect(toPayload(Uint8Array.of(1)).contentType).toBe('application/octet-stream');
    for (const value of [1, null, true, [], { a: 1 }]) expect(toPayload(value).contentType).toBe('application/json');
    expect(toPayload({ a: Uint8Array.of(1) }).contentType).toBe('application/cbor');
  });
  it('keep the sign of a zero as JSON, and are refused as CBOR with one', () => {
    expect(trip({ a: [-0, 0], b: 'x' })).toStrictEqual({ a: [-0, 0], b: 'x' });
    expect(trip(-0)).toBe(-0);
    expect(() => toPayload({ a: Uint8Array.of(1), b: -0 })).toThrow('-0 does not travel as CBOR');
    expect(() => toPayload(-0, 'application/cbor')).toThrow(LanpostError);
  });
  it('of another realm are values too', () => {
    const foreign = runInContext(`({ a: [1, { b: new Uint8Array([1, 2]) }], c: 'x' })`, createContext({})) as Value;
    expect(fromPayload(toPayload(foreign))).toStrictEqual({ a: [1, { b: Uint8Array.of(1, 2) }], c: 'x' });
  });
  const loop: Value[] = [];
  loop.push(loop);
  const shared = Array.from({ length: 40 }).reduce<Value>((at) => [at, at], 1);
  it.each<[string, unknown]>([
    ['undefined', undefined], ['undefined inside', { a: { b: [1, undefined] } }], ['function', { a: () => 1 }], ['NaN', [Number.NaN]], ['Infinity', Infinity],
    ['lone surrogate', 'a\ud800'], ['lone surrogate in a key', { 'a\udc00': 1 }], ['cycle', loop], ['BigInt', { a: 1n }], ['symbol', Symbol('a')],
    ['date', { a: new Date() }], ['map', new Map()], ['instance', new (class A { b = 1; })()], ['too many', shared],
  ])('%s is refused by name', (_name, value) => {
    expect(() => toPayload(value as Value)).toThrow(LanpostError);
  });
  it('the refusal says where', () => {
    expect(() => toPayload({ a: { b: [1, undefined] } } as unknown as Value)).toThrow('undefined cannot be published (at a.b[1])');
  });
});

describe('XML', () => {
  it.each([
    `<t xmlns='urn:x' a='1'>21<u/>&lt;</t>`, `<p:t xmlns:p='urn:x' p:a='1'/>`, '<plain>no namespace</plain>', `<json xmlns='urn:xmpp:json:0'>{}</json>`,
    `<text xmlns='urn:lanpost:0'>x</text>`, `<a xmlns='urn:x'>cr&#13;lf&#10;<b c='&#9;'/></a>`,
  ])('%s comes back as it went', (value) => {
    const once = trip(value, 'application/xml');
    expect(trip(once, 'application/xml')).toBe(once);
  });
  it.each(['<a><!-- c --></a>', '<!-- c --><a/>', '<a/><!-- <![CDATA[ -->', '<a><![CDATA[x]]><!-- ]]> --></a>'])('%s is refused, for XMPP has no comments', (value) => {
    expect(() => toPayload(value, 'application/xml')).toThrow('a comment cannot be published');
  });
  it('a CDATA section is the text it holds, also one that looks like a comment', () => {
    expect(trip('<a xmlns="urn:a"><![CDATA[<!-- & -->]]></a>', 'application/xml')).toBe(`<a xmlns='urn:a'>&lt;!-- &amp; --&gt;</a>`);
  });
  it('white space, prefixes and undeclared defaults stay as they are', () => {
    for (const value of [`<a xmlns='urn:a'> <b/>\n\t</a>`, `<p:a xmlns:p='urn:p' xmlns:q='urn:q'><q:b p:c='1' q:c='2'/></p:a>`, `<a xmlns='urn:a'><b xmlns=''/></a>`, `<a xmlns='urn:a' xml:space='preserve'> </a>`]) {
      expect(trip(value, 'application/xml')).toBe(value);
    }
  });
  it.each(['', 'x', '<a>', '<a/><b/>', '<a>&nbsp;</a>', '<p:a/>', '<!DOCTYPE a><a/>', '<a>'.repeat(100)])('%s is refused', (value) => {
    expect(() => toPayload(value, 'application/xml')).toThrow(LanpostError);
  });
  it('JSON travels in a XEP-0335 container, readable', () => {
    expect(serialize(payloadToElement(toPayload({ t: 21.5 })))).toBe(`<json xmlns='urn:xmpp:json:0'>{"t":21.5}</json>`);
    expect(serialize(payloadToElement(toPayload('a\u0001b')))).toBe(`<data xmlns='urn:lanpost:0' type='text/plain'>YQFi</data>`);
  });
  it('what is no valid container is an element like any other', () => {
    for (const bad of [`<json xmlns='urn:xmpp:json:0'>{</json>`, `<json xmlns='urn:xmpp:json:0'/>`, `<json xmlns='urn:xmpp:json:0'>1<b/></json>`, `<data xmlns='urn:lanpost:0' type='a/b'>?</data>`, `<data xmlns='urn:lanpost:0'>AA==</data>`,
      `<data xmlns='urn:lanpost:0' type='x'>AA==</data>`, `<data xmlns='urn:lanpost:0' type='a/${'b'.repeat(300)}'>AA==</data>`]) {
      expect(elementToPayload(parseElement(bad))).toEqual({ contentType: 'application/xml', bytes: Buffer.from(bad) });
    }
  });
  it('an element keeps the namespaces of where it stood', () => {
    const item = parseElement(`<item xmlns='urn:i' xmlns:p='urn:p'><p:a b='1'><c/></p:a></item>`);
    const payload = item.getChild('a');
    expect(payload && Buffer.from(elementToPayload(payload).bytes).toString()).toBe(`<p:a xmlns:p='urn:p' xmlns='urn:i' b='1'><c/></p:a>`);
    expect(payload && serializeStandalone(payload)).toContain(`xmlns='urn:i'`);
  });
  it('an element goes on as it would if it had been looked at', () => {
    const name = fc.constantFrom('a', 'b', 'p:c');
    const attrs = fc.dictionary(fc.constantFrom('x', 'p:y', 'xmlns'), fc.oneof(text, fc.constantFrom('', 'urn:x', 'urn:lanpost:0', 'urn:xmpp:json:0')));
    const tree = fc.letrec<{ node: Element }>((tie) => ({
      node: fc.tuple(name, attrs, fc.array(fc.oneof({ depthSize: 'small' }, text, tie('node')), { maxLength: 3 })).map(([tag, given, nodes]) => xml(tag, given, ...nodes)),
    })).node;
    let written = 0;
    fc.assert(fc.property(fc.constantFrom("xmlns='urn:i'", ''), tree, (around, node) => {
      const [stanza] = wellFormed(`<item ${around} xmlns:p='urn:p'>${serialize(node)}</item>`);
      const element = stanza?.children.find((child) => typeof child === 'object');
      if (!element) return;
      const payload = elementToPayload(element);
      written += payload.legible === true ? 1 : 0;
      expect(goesOnAlike(payload)).toBe(true);
    }), { numRuns: 2000 });
    expect(written).toBeGreaterThan(100);
  });
  it('any element is some payload, and any payload some element', () => {
    fc.assert(fc.property(fc.string({ minLength: 3 }).map((s) => `application/${s.replace(/[^a-z]/g, 'a')}`), bytes, (contentType, value) => {
      const payload = { contentType, bytes: value };
      expect(elementToPayload(parseElement(serialize(payloadToElement(payload)))).contentType).toBe(contentType);
    }));
    expect(elementToPayload(xml('a', { xmlns: 'urn:x' }, '1')).contentType).toBe('application/xml');
  });
});

describe('media types', () => {
  it.each([['a', 'text/csv'], [{ a: 1 }, 'application/ld+json'], [[{ n: 'a', v: 1 }], 'application/senml+json'], ['a', 'application/json'], [Uint8Array.of(1), 'image/png'], [{ a: 1 }, 'application/cbor'], ['<a xmlns="urn:a"/>', 'application/atom+xml'], ['x', 'text/plain; charset=utf-8']])('%j as %s', (value, type) => {
    const back = trip(value, type);
    expect(typeof value === 'string' && type.endsWith('xml') ? back : value).toStrictEqual(back);
  });
  it.each([[{ a: 1 }, 'text/plain'], [Uint8Array.of(1), 'application/json'], ['x', 'nonsense'], ['x', 'a/b\r\nc'], [1, 'image/png']])('%j as %s is refused', (value, type) => {
    expect(() => toPayload(value, type)).toThrow(LanpostError);
  });
});

describe('CBOR', () => {
  it('round trips', () => {
    fc.assert(fc.property(fc.oneof(unsigned, bytes, withBytes), (value) => { expect(isDeepStrictEqual(decodeCbor(encodeCbor(value)), value)).toBe(true); }), { numRuns: 500 });
  });
  it('whatever comes is decoded or refused by name', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 64 }), (input) => {
      let error: unknown;
      try {
        decodeCbor(input);
      } catch (caught) {
        error = caught;
      }
      expect(error === undefined || error instanceof LanpostError).toBe(true);
    }), { numRuns: 5000 });
  });
  it.each([
    ['deep arrays', new Uint8Array(1000).fill(0x81)], ['an array of 2^32 that is not there', Uint8Array.of(0x9a, 0xff, 0xff, 0xff, 0xff)],
    ['text of 2^53', Uint8Array.of(0x7b, 0, 0x20, 0, 0, 0, 0, 0, 0)], ['indefinite', Uint8Array.of(0x9f, 0xff)], ['a tag', Uint8Array.of(0xc1, 0)],
    ['bytes after', Uint8Array.of(0, 0)], ['a number as key', Uint8Array.of(0xa1, 0, 0)], ['undefined', Uint8Array.of(0xf7)], ['nothing', new Uint8Array()],
  ])('%s is refused', (_name, input) => {
    expect(() => checkCbor(input)).toThrow(LanpostError);
  });
});
