import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { serialize } from '../../../src/xmpp/element.ts';
import { XmlStream, type StreamEvent } from '../../../src/xmpp/xml-stream.ts';

const limits = { stanzaBytes: 262_144, depth: 32 };
const HEADER = `<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0' id='x'>`;

function receive(bytes: Uint8Array, sizes: readonly number[] = [bytes.length]): StreamEvent[] {
  const stream = new XmlStream({ limits });
  const events: StreamEvent[] = [];
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = Math.max(1, sizes[i % sizes.length] ?? 1);
    events.push(...stream.receive(bytes.subarray(at, at + size)));
    at += size;
  }
  return events;
}
function brief(events: readonly StreamEvent[]): string[] {
  return events.map((event) => (event.type === 'stanza' ? serialize(event.element) : event.type === 'error' ? `error ${event.condition}` : event.type));
}

describe('§4 XML streams', () => {
  it.each([
    HEADER,
    `<?xml version="1.0"?>${HEADER}`,
    `<?xml version="1.0" encoding="UTF-8" ?>\n<stream:stream xmlns="jabber:client" xmlns:stream="http://etherx.jabber.org/streams" from="a" to="b">`,
    `<stream xmlns='http://etherx.jabber.org/streams' xmlns:c='jabber:client'>`,
    `<foo:stream xmlns='jabber:client' xmlns:foo='http://etherx.jabber.org/streams'>`,
  ])('§4.8 a header under any prefix: %s', (header) => {
    expect(brief(receive(Buffer.from(header)))).toEqual(['header']);
  });

  it.each([
    ['bad-format', `<html xmlns='http://etherx.jabber.org/streams'>`],
    ['invalid-namespace', `<stream xmlns='jabber:client'>`],
    ['invalid-namespace', `<stream:stream xmlns:stream='http://wrong.example/'>`],
    ['not-well-formed', `<stream:stream>`],
    ['not-well-formed', `GET / HTTP/1.1\r\n`],
    ['not-well-formed', `\u0016\u0003\u0001`],
  ])('§4.9.3 %s: %s', (condition, text) => {
    expect(brief(receive(Buffer.from(text)))).toEqual([`error ${condition}`]);
  });

  it('§4.4 the closing tag ends it; nothing after it counts', () => {
    expect(brief(receive(Buffer.from(`${HEADER} <a/>\n</stream:stream><a/>`)))).toEqual(['header', '<a/>', 'end']);
  });

  it('§11.6 UTF-8 may be cut anywhere', () => {
    const text = `<message><body>\u00e9 \u20ac \u{1f600} ${'\u{10ffff}'.repeat(50)}</body></message>`;
    fc.assert(fc.property(fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 50 }), (sizes) => {
      expect(brief(receive(Buffer.from(HEADER + text), sizes))).toEqual(['header', text]);
    }));
  });

  it.each([[0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf5, 0x80, 0x80, 0x80], [0xe2, 0x28, 0xa1]])('§11.6 bytes %i %i that are not UTF-8 end it', (...bad) => {
    const bytes = Buffer.concat([Buffer.from(`${HEADER}<message><body>`), Buffer.from(bad), Buffer.from('</body></message>')]);
    for (const sizes of [[bytes.length], [1]]) expect(brief(receive(bytes, sizes)).at(-1)).toBe('error not-well-formed');
  });

  it('§13.12 a stanza over the limit is refused when the limit is passed, not when it ends', () => {
    for (const piece of ['x', '<a/>', `<a b='`, '<!--', '<![CDATA[', '&amp;', '\u20ac', '<']) {
      const stream = new XmlStream({ limits });
      let events = stream.receive(Buffer.from(`${HEADER}<message><body>`));
      let fed = 0;
      const chunk = Buffer.from(piece.endsWith("'") ? `<a b="${'y'.repeat(1442)}` : piece.repeat(Math.ceil(1448 / piece.length)));
      while (!events.some((event) => event.type === 'error') && fed < 1 << 20) {
        fed += chunk.length;
        events = stream.receive(chunk);
      }
      expect(brief(events)[0]).toMatch(/^error/);
      expect(fed).toBeLessThanOrEqual(262_144 + 2 * 4344);
      expect(stream.receive(Buffer.from('<a/>'))).toEqual([]);
    }
  });

  it('a stanza just under the limit passes in linear time, in any chunking', () => {
    const text = `<message><body>${'x'.repeat(262_000)}</body></message>`;
    const before = process.cpuUsage().user;
    for (const size of [1, 7, 1448]) expect(brief(receive(Buffer.from(HEADER + text), [size]))[1]).toHaveLength(text.length);
    expect(process.cpuUsage().user - before).toBeLessThan(4_000_000);
  });

  it('whatever the bytes and the chunks: no throw, one error at most, nothing after it', () => {
    const bits = fc.constantFrom(...['<', '>', '</', '/>', '<message', '<body>', '</body>', '</message>', '</stream:stream>', '<!DOCTYPE', '<!--', '-->', '<?', '&#', '&x;', '"', "'", '=', ' ', 'xmlns', ':'].map((s) => Buffer.from(s)));
    const piece = fc.oneof(bits, bits, fc.uint8Array({ maxLength: 20 }));
    fc.assert(fc.property(fc.array(piece, { maxLength: 60 }), fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }), fc.boolean(), (pieces, sizes, header) => {
      const events = receive(Buffer.concat([Buffer.from(header ? HEADER : ''), ...pieces]), sizes);
      const end = events.findIndex((event) => event.type === 'error' || event.type === 'end');
      expect(end === -1 || end === events.length - 1).toBe(true);
    }), { numRuns: 2000 });
  });

  it('reset begins a new stream and forgets the half-read one', () => {
    const stream = new XmlStream({ limits });
    stream.receive(Buffer.concat([Buffer.from(`${HEADER}<message><bo`), Buffer.from([0xe2])]));
    stream.reset();
    expect(brief(stream.receive(Buffer.from(`${HEADER}<a/>`)))).toEqual(['header', '<a/>']);
  });
});
