// What may be published, of every kind.
import * as fc from 'fast-check';
import type { Value } from '../../src/api.ts';
import { senmlToCbor } from '../../src/payload/senml/cbor.ts';
import { checkSenml, type SenmlPack } from '../../src/payload/senml/pack.ts';
import { senmlToElement } from '../../src/payload/senml/xml.ts';
import { serializeStandalone } from '../../src/xml/serialize.ts';
import { isLegal } from '../../src/xml/text.ts';

export const text: fc.Arbitrary<string> = fc.string({ unit: 'binary' });
const leaf = fc.oneof(text, fc.integer(), fc.boolean(), fc.constant(null), fc.double({ noNaN: true, noDefaultInfinity: true }));
const key = fc.oneof({ weight: 9, arbitrary: text }, { weight: 1, arbitrary: fc.constantFrom('__proto__', 'constructor', '0', '') });

export const json: fc.Arbitrary<Value> = fc.letrec<{ value: Value }>((tie) => ({
  value: fc.oneof({ depthSize: 'small' }, leaf, fc.array(tie('value'), { maxLength: 4 }), fc.dictionary(key, tie('value'), { maxKeys: 4, noNullPrototype: true })),
})).value;
export const bytes: fc.Arbitrary<Uint8Array> = fc.uint8Array({ maxLength: 50 });
/** CBOR has no -0 that its coder would write. */
export const unsigned: fc.Arbitrary<Value> = json.map((value) => JSON.parse(JSON.stringify(value)) as Value);
export const withBytes: fc.Arbitrary<Value> = fc.record({ a: bytes, b: fc.array(fc.oneof(unsigned, bytes), { maxLength: 3 }) }, { noNullPrototype: true });
/** Of a kind of its own. */
export const value: fc.Arbitrary<Value> = fc.oneof(json, bytes, withBytes);

/** XML in the spelling in which it is kept: namespaces, prefixes, white space, characters that are escaped. */
const xmlText = fc.string({ unit: fc.constantFrom('a', ' ', '\n', '\t', '&lt;', '&amp;', '&gt;', '&#13;', 'é', '😀', ']]&gt;') });
const element = (inner: fc.Arbitrary<string>): fc.Arbitrary<string> => fc.tuple(fc.constantFrom('a', 'p:a'), fc.constantFrom("xmlns='urn:a'", "xmlns:p='urn:p' xmlns='urn:b'"), fc.constantFrom('', " b='1'", " xml:lang='de'", " c='&quot;&#9;&apos;'"), inner)
  .map(([name, declared, attributes, content]) => {
    const spaces = name.startsWith('p:') && !declared.includes('xmlns:p') ? `xmlns:p='urn:p' ${declared}` : declared;
    return content === '' ? `<${name} ${spaces}${attributes}/>` : `<${name} ${spaces}${attributes}>${content}</${name}>`;
  });
export const xml: fc.Arbitrary<string> = element(fc.array(fc.oneof(xmlText, element(xmlText)), { maxLength: 3 }).map((parts) => parts.join('')));

export const senml: fc.Arbitrary<Value> = fc.array(fc.record({ n: fc.constantFrom('a', 'urn:dev:1'), v: fc.double({ noNaN: true, noDefaultInfinity: true }), note: fc.oneof(text, fc.integer()) }, { requiredKeys: ['n', 'v'], noNullPrototype: true }), { minLength: 1, maxLength: 3 });

/** In the other two forms of the same: neither has -0, and XML only texts where no number is meant, of characters that it has. */
const senmlOnce: fc.Arbitrary<SenmlPack> = senml.map((pack) => checkSenml(JSON.parse(JSON.stringify(pack)) as Value));
const noteText = (note: Value): string => (typeof note === 'string' ? note : JSON.stringify(note));
const senmlText: fc.Arbitrary<SenmlPack> = senmlOnce.map((pack) => pack.map((record) => (record['note'] === undefined ? record : { ...record, note: noteText(record['note']) }))).filter((pack) => pack.every(({ note = '' }) => isLegal(noteText(note))));

/** With the media type that is said, if one is; `read`: what it is inside, where that is not how it is given. */
export interface Given { readonly value: Value; readonly contentType?: string; readonly read?: Value }

export const given: fc.Arbitrary<Given> = fc.oneof(
  { weight: 4, arbitrary: value.map((one) => ({ value: one })) },
  xml.map((one) => ({ value: one, contentType: 'application/xml' })),
  xml.map((one) => ({ value: one, contentType: 'application/atom+xml' })),
  senml.map((one) => ({ value: one, contentType: 'application/senml+json' })),
  senmlText.map((one) => ({ value: serializeStandalone(senmlToElement(one)), contentType: 'application/senml+xml', read: one })),
  senmlOnce.map((one) => ({ value: senmlToCbor(one), contentType: 'application/senml+cbor', read: one })),
  senmlOnce.map((one) => ({ value: one, contentType: 'application/senml+cbor' })),
  text.map((one) => ({ value: one, contentType: 'text/csv; charset=utf-8' })),
  bytes.map((one) => ({ value: one, contentType: 'image/png' })),
  unsigned.map((one) => ({ value: one, contentType: 'application/cbor' })),
  json.map((one) => ({ value: one, contentType: 'application/ld+json' })),
);
