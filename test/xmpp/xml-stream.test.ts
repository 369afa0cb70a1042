import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { serialize } from '../../src/xmpp/element.ts';
import { XmlStream, type StreamEvent } from '../../src/xmpp/xml-stream.ts';

const limits = { stanzaBytes: 4096, depth: 16 };
const HEADER = "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' xmlns:x='jabber:client' version='1.0'>";

setFlagsFromString('--expose-gc');
const collect: unknown = runInNewContext('gc');
function heap(): number {
  if (typeof collect === 'function') collect();
  return process.memoryUsage().heapUsed;
}

/** What comes out, however the bytes are cut. */
function read(bytes: Uint8Array, cuts: readonly number[], lenientHeader: boolean): StreamEvent[] {
  const stream = new XmlStream({ limits, lenientHeader });
  const at = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].toSorted((a, b) => a - b);
  return [0, ...at].flatMap((from, i) => stream.receive(bytes.subarray(from, at[i] ?? bytes.length)));
}

function brief(events: readonly StreamEvent[]): string[] {
  return events.map((event) => {
    if (event.type === 'stanza') return serialize(event.element);
    return event.type === 'error' ? `error ${event.condition}` : event.type;
  });
}

const piece = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(
    '<message>', '</message>', "<iq type='get' id='1'>", '</iq>', '<x:message/>', "<y:message xmlns:y='jabber:client'/>", "<message xmlns='evil'/>", '<body>', '</body>',
    'text', '&amp;', '&#x1F600;', '&evil;', '&#0;', '<![CDATA[', ']]>', '<!--', '-->', '<!DOCTYPE a [<!ENTITY b "c">]>', '<?xml version="1.0"?>', '<?php ?>',
    "<a __proto__='x'/>", "<a constructor='x' toString='y'/>", "<constructor/>", '<a xmlns=""/>', "<a xmlns:xml='x'/>", "<a xmlns:xmlns='x'/>", "<a xmlns:p=''/>", "<xml:a/>", '<xmlns:a/>',
    HEADER, '</stream:stream>', '<stream:stream>', '<stream:error/>', '<a><a><a><a><a><a><a><a><a>', `<a ${'b '.repeat(70)}/>`, '\uFEFF', '\r\n', '\0', ' ', '<', '>', '"', "'", '/',
  ).map((text) => Buffer.from(text)) },
  fc.constantFrom([0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf0, 0x9f], [0xe2, 0x82], [0xf4, 0x90, 0x80, 0x80]).map((bytes) => Buffer.from(bytes)),
  fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)),
);

describe('whatever a peer sends', () => {
  it('never throws, says the same however it is cut, and nothing after its end', () => {
    fc.assert(fc.property(fc.array(piece, { maxLength: 40 }), fc.array(fc.nat(3000), { maxLength: 40 }), fc.boolean(), fc.boolean(), (pieces, cuts, begun, lenient) => {
      const bytes = Buffer.concat([...(begun ? [Buffer.from(HEADER)] : []), ...pieces]);
      const whole = brief(read(bytes, [], lenient));
      const cut = brief(read(bytes, cuts, lenient));
      // What was good before a fault may come out or not: a cut shows it sooner. The rest is the same.
      const good = (lines: readonly string[]): string[] => lines.filter((line) => !line.startsWith('error'));
      const [few, many] = good(whole).length < good(cut).length ? [good(whole), good(cut)] : [good(cut), good(whole)];
      expect(many.slice(0, few.length)).toEqual(few);
      expect(many.length === few.length || whole.some((line) => line.startsWith('error'))).toBe(true);
      for (const lines of [whole, cut]) expect(lines.slice(0, -1).filter((line) => line.startsWith('error') || line === 'end')).toEqual([]);
    }), { numRuns: 2000 });
  });

  it.each([
    ['a text', '<message><body>', 'x'], ['an attribute', "<message a='", 'x'], ['a name', '<', 'a'], ['a comment', '<!--', 'x'], ['a comment in a stanza', '<message><!--', 'x'],
    ['CDATA', '<message><![CDATA[', 'x'], ['depth', '<message>', '<a>'], ['elements', '<message>', '<a/>'], ['attributes', '<message ', "a='' "], ['a closing tag', '<message></', 'a'],
    ['blanks in a tag', '<message', ' '], ['references', '<message>', '&lt;'], ['surrogate pairs', '<message>', '\u{1F600}'],
  ])('%s without end ends the stream at the limit, and holds no more', (_, opening, more) => {
    const large = { stanzaBytes: 262_144, depth: 32 };
    const before = heap();
    const streams = Array.from({ length: 8 }, () => new XmlStream({ limits: large }));
    for (const stream of streams) {
      expect(stream.receive(Buffer.from(HEADER + opening)).map(({ type }) => type)).toEqual(['header']);
      const flood = Buffer.from(more.repeat(Math.ceil(1000 / more.length)));
      let ended = false;
      for (let i = 0; i < 300 && !ended; i++) ended = stream.receive(flood).some(({ type }) => type === 'error');
      expect(ended).toBe(true);
    }
    expect(heap() - before).toBeLessThan(1 << 20);
    expect(streams).toHaveLength(8);
  });

  it('a stanza about to be too large holds what the documented limit allows', () => {
    const before = heap();
    const streams = Array.from({ length: 8 }, () => new XmlStream({ limits: { stanzaBytes: 262_144, depth: 32 } }));
    for (const stream of streams) stream.receive(Buffer.from(`${HEADER}<message>${"<a b=''/>".repeat(16_000)}`));
    expect((heap() - before) / streams.length).toBeLessThan(4 << 20);
    expect(streams).toHaveLength(8);
  });
});
