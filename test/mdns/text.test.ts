import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeText, encodeText } from '../../src/mdns/text.ts';

describe('TXT data', () => {
  it('writes no pairs as a single zero byte', () => {
    expect([...encodeText([])]).toEqual([0]);
    expect(decodeText(Uint8Array.of(0)).size).toBe(0);
    expect(decodeText(new Uint8Array()).size).toBe(0);
  });

  it('tells "key", "key=" and "key=v" apart, without case, the first of a repeated key counting', () => {
    const text = decodeText(Buffer.from('\u0001a\u0002b=\u0004C=x=\u0003c=y\u0002=z'));
    expect([...text]).toEqual([['a', true], ['b', ''], ['c', 'x=']]);
  });

  it('cuts a pair over 255 bytes between code points', () => {
    expect(decodeText(encodeText([['msg', 'é'.repeat(200)]])).get('msg')).toBe('é'.repeat(125));
  });

  it('never throws on arbitrary bytes', () => {
    fc.assert(fc.property(fc.uint8Array(), (bytes) => { expect(decodeText(bytes).size).toBeLessThanOrEqual(bytes.length); }));
  });

  it('refuses a key that cannot be one', () => {
    expect(() => encodeText([['a=b', '']])).toThrow('not a TXT key');
    expect(() => encodeText([['ä', '']])).toThrow('not a TXT key');
  });
});
