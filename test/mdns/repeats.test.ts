import { describe, expect, it } from 'vitest';
import { encodeMessage } from '../../src/mdns/encode.ts';
import { makeMessage } from '../../src/mdns/message.ts';
import { Repeats } from '../../src/mdns/repeats.ts';
import { rr } from '../conformance/rfc-6762/one-link.ts';

const packet = (name: string, ttl = 120): Buffer => encodeMessage(makeMessage({ response: true, answers: [rr.a(`${name}.local`, '10.0.0.1', { ttl })] }));

describe('a packet that comes again', () => {
  it('is read once, when it told nothing new', () => {
    const repeats = new Repeats();
    const first = repeats.read(packet('a'));
    expect(repeats.read(packet('a'))).not.toBe(first);
    const second = repeats.read(packet('a'));
    repeats.remember();
    expect(repeats.read(packet('a'))).toBe(second);
    expect(second).toEqual(first);
  });

  it('is another when a single byte is', () => {
    const repeats = new Repeats();
    repeats.read(packet('a'));
    repeats.remember();
    expect(repeats.read(packet('a', 0)).answers[0]?.ttl).toBe(0);
    expect(repeats.read(packet('a')).answers[0]?.ttl).toBe(120);
  });

  it('is forgotten for others, so that strangers fill no memory, but not while it comes', () => {
    const repeats = new Repeats();
    const kept = repeats.read(packet('kept'));
    repeats.remember();
    for (let round = 0; round < 5; round++) {
      for (let i = 0; i < 1000; i++) {
        repeats.read(packet(`n${round}-${i}`));
        repeats.remember();
      }
      expect(repeats.read(packet('kept'))).toBe(kept);
    }
    expect(repeats.size).toBeLessThanOrEqual(2048);
    const long = encodeMessage(makeMessage({ response: true, answers: [rr.txt('t.local', [['a', 'x'.repeat(250)], ['b', 'x'.repeat(250)]])] }));
    const size = repeats.size;
    repeats.read(long);
    repeats.remember();
    expect(repeats.size).toBe(size);
  });

  it('is nothing to remember when it cannot be read', () => {
    const repeats = new Repeats();
    repeats.read(packet('a'));
    expect(() => repeats.read(Buffer.from('no message'))).toThrow('malformed');
    repeats.remember();
    expect(repeats.size).toBe(0);
  });
});
