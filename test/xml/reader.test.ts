import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { attr, xml } from '../../src/xml/element.ts';
import { XmlFault } from '../../src/xml/fault.ts';
import { parseElement } from '../../src/xml/parse.ts';
import { XmlReader, type XmlEvent } from '../../src/xml/reader.ts';
import { serialize, serializeStandalone } from '../../src/xml/serialize.ts';

setFlagsFromString('--expose-gc');
const collect: unknown = runInNewContext('gc');

function heap(): number {
  if (typeof collect === 'function') collect();
  return process.memoryUsage().heapUsed;
}

const limits = { stanzaBytes: 4096, depth: 8 };

function feed(chunks: readonly string[], lenientHeader = false): XmlEvent[] {
  const reader = new XmlReader({ limits, lenientHeader });
  return chunks.flatMap((chunk) => reader.write(chunk));
}
function brief(events: readonly XmlEvent[]): string[] {
  return events.map((event) => {
    if (event.type === 'fault') return `fault ${event.fault.condition}`;
    return event.type === 'close' ? 'close' : `${event.type} ${serialize(event.element)}`;
  });
}
const chop = (text: string, cuts: readonly number[]): string[] => {
  const at = [...new Set(cuts.map((cut) => cut % (text.length + 1)))].toSorted((a, b) => a - b);
  return [0, ...at].map((from, i) => text.slice(from, at[i] ?? text.length));
};

describe('what it reads', () => {
  it('gives the root at once and each child whole, in any chunking', () => {
    const text = `<?xml version='1.0' encoding="UTF-8" ?>\n<s:s xmlns:s='urn:s' xmlns='urn:c' a='1'> <m a="x>y" b='&lt;"&#x1F600;'>h&amp;i<b/>\r\n<![CDATA[<]]]]>]]&gt;<!-- -- ->x<- -->\u{1F600}é</m>\n<!--x--><n></n ></s:s>`;
    const whole = brief(feed([text]));
    expect(whole).toEqual([
      `open <s:s xmlns:s='urn:s' xmlns='urn:c' a='1'/>`,
      `child <m a='x&gt;y' b='&lt;&quot;\u{1F600}'>h&amp;i<b/>\n&lt;]]]]&gt;\u{1F600}é</m>`,
      'child <n/>',
      'close',
    ]);
    fc.assert(fc.property(fc.array(fc.nat(2000), { maxLength: 60 }), (cuts) => {
      expect(brief(feed(chop(text, cuts)))).toEqual(whole);
    }));
  });

  it.each([
    ['<r><a></b></r>', 'not-well-formed'], ['<r><a b=1/></r>', 'not-well-formed'], ["<r><a b='1' b='2'/></r>", 'not-well-formed'],
    ["<r><a b='1'c='2'/></r>", 'not-well-formed'], ['<r><p:a/></r>', 'not-well-formed'], ["<r><a p:b='1'/></r>", 'not-well-formed'],
    ["<r><a xmlns:p='u' xmlns:q='u' p:b='1' q:b='2'/></r>", 'not-well-formed'], ["<r><a xmlns:p=''/></r>", 'not-well-formed'],
    ['<r><a>&nbsp;</a></r>', 'restricted-xml'], ['<r><a>&</a></r>', 'not-well-formed'], ['<r><a>& b;</a></r>', 'not-well-formed'],
    ['<r><a>&#0;</a></r>', 'not-well-formed'], ['<r><a>&#xD800;</a></r>', 'not-well-formed'], ['<r><a>]]></a></r>', 'not-well-formed'],
    ['<r><a>\u0001</a></r>', 'not-well-formed'], ['<r><a b="<"/></r>', 'not-well-formed'], ['<r>x</r>', 'bad-format'], ['x<r>', 'not-well-formed'],
    ['<!DOCTYPE r><r>', 'restricted-xml'], ['<r><!DOCTYPE r [<!ENTITY a "b">]></r>', 'restricted-xml'], ['<r><?php x?></r>', 'restricted-xml'],
    ['<?xml-stylesheet x?><r>', 'restricted-xml'], [' <?xml version="1.0"?><r>', 'restricted-xml'], ['<?xml version="1.0" encoding="latin-1"?><r>', 'unsupported-encoding'],
    ['<r><1a/></r>', 'not-well-formed'], ['<r>< a/></r>', 'not-well-formed'], ['</r>', 'not-well-formed'], ['<r><a:b:c/></r>', 'not-well-formed'],
    ['<r><a><a><a><a><a><a><a><a><a>', 'policy-violation'], [`<r><a>${'x'.repeat(5000)}`, 'policy-violation'], [`<r><a b='${'x'.repeat(5000)}`, 'policy-violation'],
    [`<r><!--${'x'.repeat(5000)}`, 'policy-violation'], [`<r><a><![CDATA[${'x'.repeat(5000)}`, 'policy-violation'], [`<${'r'.repeat(5000)}`, 'policy-violation'],
    [`<r><${'a'.repeat(300)}/>`, 'policy-violation'], [`<r><a ${Array.from({ length: 65 }, (_, i) => `a${i}=''`).join(' ')}/>`, 'policy-violation'],
    [`<r><a>${'<b/>'.repeat(1020)}`, undefined], [`<r><a>${'\u{1F600}'.repeat(1100)}`, 'policy-violation'], [`<r><a __proto__=''/>`, 'restricted-xml'],
  ])('%#: refused as it should be', (text, condition) => {
    for (const chunks of [[text], text.split('')]) {
      const fault = feed(chunks).find((event) => event.type === 'fault');
      expect(fault?.type === 'fault' ? fault.fault.condition : undefined).toBe(condition);
    }
  });

  it('says nothing after a fault', () => {
    const reader = new XmlReader({ limits });
    expect(brief(reader.write('<r></q><a/>'))).toHaveLength(2);
    expect(reader.write('<a/>')).toEqual([]);
  });

  it('never throws and never holds more than its limit, whatever comes', () => {
    const bits = fc.constantFrom('<', '>', '/', '!', '?', '--', '<!--', '-->', '<![CDATA[', ']]>', '&', ';', '&lt;', '"', "'", '=', ' ', 'a', 'x:', 'xmlns', '<a', '</a>', '<?xml ', '?>', '\u{1F600}', '\r', '\0');
    fc.assert(fc.property(fc.array(fc.oneof(bits, fc.string()), { maxLength: 80 }), fc.boolean(), (chunks, lenient) => {
      const events = feed(['<r>', ...chunks], lenient);
      expect(events.filter((event) => event.type === 'fault').length).toBeLessThanOrEqual(1);
    }), { numRuns: 1000 });
  });

  it('is linear in a long text that comes in single characters', () => {
    const reader = new XmlReader({ limits: { stanzaBytes: 1 << 20, depth: 8 } });
    reader.write('<r><a>');
    const start = process.cpuUsage().user;
    for (let i = 0; i < 300_000; i++) reader.write('x', true);
    const [event] = reader.write('</a>');
    expect(event?.type === 'child' && event.element.getText().length).toBe(300_000);
    expect(process.cpuUsage().user - start).toBeLessThan(3_000_000);
  });
});

/** Milliseconds of processor time, which neighbours on a busy machine do not lengthen. */
function cpu(work: () => void): number {
  const start = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1000;
}

describe('what a stranger may cost', () => {
  const large = { stanzaBytes: 262_144, depth: 32 };

  it.each(['<a><![CDATA[', '<!--', '<a><!--', '<a>', "<a b='"])('%s that never ends is linear, in whatever chunks it comes', (opening) => {
    const reader = new XmlReader({ limits: large });
    reader.write(`<r>${opening}`);
    expect(cpu(() => { for (let i = 0; i < 26_000; i++) reader.write('xxxxxxxxxx', true); })).toBeLessThan(1000);
  });

  it('a header of blanks is refused at once', () => {
    const reader = new XmlReader({ limits: large, lenientHeader: true });
    let events: XmlEvent[] = [];
    expect(cpu(() => { events = reader.write(`<stream:stream${' '.repeat(65_000)}"">`); })).toBeLessThan(500);
    expect(brief(events)).toEqual(['fault not-well-formed']);
  });

  it('an element with thousands of declarations around it is written in linear time', () => {
    const declarations = (at: number): string => Array.from({ length: 60 }, (_, i) => `xmlns:p${at}_${i}='u'`).join(' ');
    const deep = Array.from({ length: 28 }, (_, at) => `<a ${declarations(at)}>`).join('');
    const element = parseElement(`${deep}${'<a/>'.repeat(15_000)}${'</a>'.repeat(28)}`, { ...large, stanzaBytes: 1 << 20 });
    expect(cpu(() => void serializeStandalone(element))).toBeLessThan(500);
  });
});

describe('a header that is not well formed', () => {
  const header = (to: string): string => `<?xml version="1.0" encoding="UTF-8" ?>\n<stream:stream xmlns="jabber:client" xmlns:stream="http://etherx.jabber.org/streams" from="alice@h1" to="${to}">`;

  it.each(['bob@h2', 'q"uo&te<d>@h3', 'a&b@h', 'a"b>c@h', '<<@h', "it's@h", 'x"@h', 'a&amp;b@h'])('to="%s" is understood when asked to be lenient, in any chunking', (to) => {
    const text = `${header(to)}<message/>`;
    for (const chunks of [[text], text.split(''), chop(text, [40, 100, 150, 160, 165])]) {
      const events = feed(chunks, true);
      expect(brief(events).slice(1)).toEqual(['child <message/>']);
      const open = events[0];
      expect(open?.type === 'open' && attr(open.element, 'to')).toBe(to.replace('&amp;', '&'));
      expect(open?.type === 'open' && attr(open.element, 'from')).toBe('alice@h1');
    }
  });

  it('is refused otherwise, and stanzas never profit', () => {
    expect(brief(feed([header('a&b<')])).at(-1)).toMatch(/^fault/);
    expect(brief(feed([header('a'), '<message to="a&b"/>'], true)).at(-1)).toBe('fault not-well-formed');
  });
});

describe('round trips', () => {
  it('text and attributes come back as they were', () => {
    const text = fc.string({ unit: 'binary' }).filter((s) => !/[\0-\x08\x0B\x0C\x0E-\x1F\uFFFE\uFFFF]/.test(s)); // oxlint-disable-line no-control-regex -- what XML cannot say
    fc.assert(fc.property(text, text, (a, b) => {
      const back = parseElement(serialize(xml('a', { xmlns: 'u', k: a }, b, xml('b', {}, a))));
      expect(attr(back, 'k')).toBe(a);
      expect(back.getText()).toBe(b);
      expect(back.getChildText('b') ?? '').toBe(a);
    }));
  });

  it('an element taken out of its surroundings keeps its namespaces', () => {
    const root = parseElement(`<a xmlns='urn:a' xmlns:p='urn:p' xmlns:q='urn:q'><b p:x='1'><p:c/></b></a>`);
    const b = root.getChild('b');
    expect(b && serializeStandalone(b)).toBe(`<b xmlns='urn:a' xmlns:p='urn:p' p:x='1'><p:c/></b>`);
  });

  it.each(['', 'x', '<a>', '<a/><b/>', '<a/>x', '</r>', '<a/></r>', '<a/></r><r>', '<a', '<!DOCTYPE a><a/>'])('%s is not one element', (text) => {
    expect(() => parseElement(text)).toThrow(XmlFault);
  });
  it('the declaration and comments around it are tolerated', () => {
    expect(serialize(parseElement('<?xml version="1.0"?>\n<!-- x --><a>1</a>\n'))).toBe('<a>1</a>');
  });
});

it.each([
  ['an attribute of a long tag', `<m id='an id of some length' x='${'y'.repeat(100_000)}'/>`],
  ['a text', `<m><t>an id of some length</t>${' '.repeat(100_000)}</m>`],
  ['CDATA', `<m><t><![CDATA[an id of some length]]></t>${' '.repeat(100_000)}</m>`],
])('%s keeps nothing in memory but itself', (_, stanza) => {
  const reader = new XmlReader({ limits: { stanzaBytes: 1 << 20, depth: 8 } });
  reader.write('<r>');
  const kept: (string | undefined)[] = [];
  const before = heap();
  for (let i = 0; i < 200; i++) {
    // Each read is a string of its own, as those of a socket are.
    const [event] = reader.write(Buffer.from(stanza).toString('latin1'), true);
    if (event?.type === 'child') kept.push(attr(event.element, 'id') ?? event.element.getChildText('t') ?? undefined);
  }
  expect(heap() - before).toBeLessThan(2 << 20);
  expect(new Set(kept)).toEqual(new Set(['an id of some length']));
});
