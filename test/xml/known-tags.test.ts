import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Element, xml } from '../../src/xml/element.ts';
import { XmlReader } from '../../src/xml/reader.ts';
import { serialize } from '../../src/xml/serialize.ts';

const LIMITS = { stanzaBytes: 4096, depth: 16 };
const open = (): XmlReader => {
  const reader = new XmlReader({ limits: LIMITS });
  reader.write("<s xmlns='urn:s' xmlns:p='urn:p'>");
  return reader;
};
/** What came of it, as text. */
const read = (reader: XmlReader, text: string): string => reader.write(text)
  .map((event) => (event.type === 'child' ? serialize(event.element) : event.type === 'fault' ? event.fault.condition : event.type)).join('');

const name = fc.constantFrom('a', 'b', 'p:c');
const value = fc.oneof(fc.constantFrom('', '>', '/>', "'", '"', '</a>', 'urn:x'), fc.string({ unit: 'grapheme-ascii', maxLength: 6 }));
const tree = fc.letrec<{ node: Element }>((tie) => ({
  node: fc.tuple(name, fc.dictionary(fc.constantFrom('x', 'p:y', 'xmlns', 'constructor'), value), fc.array(fc.oneof({ depthSize: 'small' }, fc.constantFrom('t', '>'), tie('node')), { maxLength: 3 }))
    .map(([tag, attrs, nodes]) => xml(tag, attrs, ...nodes)),
})).node;

test('a tag means the same however often it has been read, and in whatever pieces it comes', () => {
  fc.assert(fc.property(fc.array(tree, { minLength: 1, maxLength: 4 }), fc.integer({ min: 1, max: 40 }), (stanzas, size) => {
    const texts = stanzas.map((stanza) => serialize(stanza));
    const reader = open();
    for (let again = 0; again < 3; again++) for (const text of texts) expect(read(reader, text)).toBe(read(open(), text));
    const whole = texts.join('');
    const pieces = open();
    let events = '';
    for (let at = 0; at < whole.length; at += size) events += read(pieces, whole.slice(at, at + size));
    expect(events).toBe(texts.map((text) => read(open(), text)).join(''));
  }), { numRuns: 500 });
});

test.each(['<a x=\'>', "<a x='1'><b x='>", "<a></b>", "<a x='1' x='1'/>", "<a x='1'/ >", '<p:a>', '<q:a/>', "<a x='<'/>"])('%s is refused as ever after tags like it', (text) => {
  const reader = open();
  for (const known of ["<a x='1'/>", "<a x='1'><b/></a>", '<a></a>', "<a x='&gt;'/>"]) read(reader, known);
  expect(read(reader, text)).toBe(read(open(), text));
});

test('limits hold for what is known as well', () => {
  const reader = open();
  const nested = `${'<a>'.repeat(16)}${'</a>'.repeat(16)}`;
  expect(read(reader, nested)).toBe(serialize(nestedElement(16)));
  expect(read(reader, `${'<a>'.repeat(17)}${'</a>'.repeat(17)}`)).toBe('policy-violation');
  expect(read(open(), `<a>${'<b/>'.repeat(1200)}</a>`)).toBe('policy-violation');
});

function nestedElement(depth: number): Element {
  return depth === 1 ? xml('a') : xml('a', {}, nestedElement(depth - 1));
}
