import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { capsVersion, type Info, readInfo, verificationString } from '../../src/xep/caps.ts';
import { parseElement } from '../../src/xmpp/element.ts';

const DISCO = "xmlns='http://jabber.org/protocol/disco#info'";
const read = (inner: string): Info | undefined => readInfo(parseElement(`<query ${DISCO}>${inner}</query>`));
const PSI = `
  <identity xml:lang='en' category='client' name='Psi 0.11' type='pc'/><identity xml:lang='el' category='client' name='Ψ 0.11' type='pc'/>
  <feature var='http://jabber.org/protocol/caps'/><feature var='http://jabber.org/protocol/disco#info'/>
  <feature var='http://jabber.org/protocol/disco#items'/><feature var='http://jabber.org/protocol/muc'/>
  <x xmlns='jabber:x:data' type='result'>
    <field var='FORM_TYPE' type='hidden'><value>urn:xmpp:dataforms:softwareinfo</value></field>
    <field var='ip_version' type='text-multi'><value>ipv4</value><value>ipv6</value></field>
    <field var='os'><value>Mac</value></field><field var='os_version'><value>10.5.1</value></field>
    <field var='software'><value>Psi</value></field><field var='software_version'><value>0.11</value></field>
  </x>`;
const form = (...fields: string[]): string => `<x xmlns='jabber:x:data' type='result'>${fields.join('')}</x>`;
const about = (...types: string[]): string => `<field var='FORM_TYPE' type='hidden'>${types.map(type => `<value>${type}</value>`).join('')}</field>`;

describe('XEP-0115 §5 verification string', () => {
  test('§5.2 the simple example has the published hash', () => {
    const features = ['http://jabber.org/protocol/disco#info', 'http://jabber.org/protocol/disco#items', 'http://jabber.org/protocol/muc', 'http://jabber.org/protocol/caps'];
    expect(capsVersion({ identities: [{ category: 'client', type: 'pc', name: 'Exodus 0.9.1' }], features })).toBe('QgayPKawpkPSDYmwT/WM94uAlu0=');
  });

  test('§5.3 the complex example, with languages and a form, has the published hash', () => {
    const info = read(PSI);
    expect(info && capsVersion(info)).toBe('q07IKJEyjvHSyhy//CH0CxmKi8w=');
  });

  test('§5.1 everything is sorted by octets, whatever the order it came in', () => {
    const shuffled = [
      form("<field var='z'><value>b</value><value>B</value></field>", "<field var='a'/>", about('urn:b')), form(about('urn:a')),
      "<feature var='b'/><feature var='B'/><feature var='é'/><feature var='z'/>",
      "<identity category='client-x' type='a'/><identity category='client' type='pc' xml:lang='en'/><identity category='client' type='pc'/>",
    ];
    const [one, two] = [read(shuffled.join('')), read(shuffled.toReversed().join(''))];
    expect(one && verificationString(one)).toBe('client/pc//<client/pc/en/<client-x/a//<B<b<z<é<urn:a<urn:b<a<z<B<b<');
    expect(two && verificationString(two)).toBe(one && verificationString(one));
  });

  test.each([['sha-256', 44], ['sha-512', 88], ['SHA-1', undefined], ['md5', undefined], ['__proto__', undefined]])('hash function %s', (hash, length) => {
    expect(capsVersion({ identities: [], features: [] }, hash)?.length).toBe(length);
  });

  test.each([
    ['an identity twice', "<identity category='a' type='b' name='n'/><identity category='a' type='b' name='n'/>"],
    ['a feature twice', "<feature var='x'/><feature var='x'/>"],
    ['two forms of one kind', form(about('urn:a')) + form(about('urn:a'))],
    ['a form of two kinds', form(about('urn:a', 'urn:b'))],
    ['a part that could pass for two', "<feature var='urn:a&lt;urn:b'/>"],
    ['such a part in a form', form(about('urn:a'), "<field var='v'><value>a&lt;b</value></field>")],
  ])('§5.4 %s is ill-formed', (_, inner) => {
    expect(read(inner)).toBeUndefined();
  });

  test('§5.4 a form that does not say what it is about, or not hidden, is ignored', () => {
    const odd = form("<field var='v'><value>1</value></field>") + form("<field var='FORM_TYPE'><value>urn:a</value></field>") + form("<field var='FORM_TYPE' type='hidden'/>");
    expect(read(`<feature var='x'/>${odd}`)).toEqual({ identities: [], features: ['x'], forms: [] });
    expect(read(form(about('urn:a', 'urn:a')))?.forms).toEqual([{ type: 'urn:a', fields: [] }]);
  });

  test('elements of other namespaces say nothing', () => {
    expect(read("<feature xmlns='urn:other' var='x'/><x xmlns='urn:other'/><feature/>")).toEqual({ identities: [], features: [''], forms: [] });
  });

  test('what is built is read again', () => {
    const word = fc.stringMatching(/^[a-z]{1,5}$/);
    fc.assert(fc.property(fc.uniqueArray(word), features => {
      expect(read(features.map(one => `<feature var='${one}'/>`).join(''))?.features).toEqual(features);
    }));
  });
});
