import { describe, expect, it } from 'vitest';
import { toPayload } from '../../src/payload/payload.ts';
import { keyOf } from '../../src/pubsub/topic-key.ts';

const key = (value: Parameters<typeof toPayload>[0], pointer: string, type?: string): string => keyOf('t', pointer, toPayload(value, type));

describe('the key of an item', () => {
  it('is what its value has at the pointer, whatever it is written in', () => {
    expect(key({ a: { 'b/c': ['x', 'y'] } }, '/a/b~1c/1')).toBe('"y"');
    expect(key({ '~': 1 }, '/~0')).toBe('1');
    expect(key({ '~1': true }, '/~01')).toBe('true');
    expect(key({ a: 'x' }, '/a', 'application/cbor')).toBe('"x"');
    expect(key({ '': 'empty name' }, '/')).toBe('"empty name"');
  });

  it('tells a number from a text', () => {
    expect(key({ a: '1' }, '/a')).not.toBe(key({ a: 1 }, '/a'));
  });

  it('is short however long the text is', () => {
    const long = key({ a: 'x'.repeat(10_000) }, '/a');
    expect(long).toHaveLength(64);
    expect(long).not.toBe(key({ a: 'x'.repeat(10_001) }, '/a'));
  });

  it.each([[{ b: 1 }], [{ a: null }], [{ a: {} }], [{ a: [] }], ['text'], [null], [new Uint8Array(3)]])('is asked for: %j is refused', (value) => {
    expect(() => key(value, '/a')).toThrow(expect.objectContaining({ code: 'invalid-value' }) as Error);
  });

  it('is no property that every object has', () => {
    expect(() => key({}, '/constructor/name')).toThrow(expect.objectContaining({ code: 'invalid-value' }) as Error);
  });
});
