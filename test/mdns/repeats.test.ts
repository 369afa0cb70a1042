import { describe, expect, it } from 'vitest';
import { decodeMessage } from '../../src/mdns/decode.ts';
import { encodeMessage } from '../../src/mdns/encode.ts';
import { type Message, makeMessage } from '../../src/mdns/message.ts';
import { Repeats } from '../../src/mdns/repeats.ts';
import { rr } from '../conformance/rfc-6762/one-link.ts';

/** As the engine does: what is not known is read. */
const read = (repeats: Repeats, bytes: Uint8Array): Message => repeats.known(bytes) ?? decodeMessage(bytes);

const remembered = (repeats: Repeats, bytes: Uint8Array): Message => {
  const message = read(repeats, bytes);
  repeats.remember(message);
  return message;
};

const packet = (name: string, ttl = 120): Buffer => encodeMessage(makeMessage({ response: true, answers: [rr.a(`${name}.local`, '10.0.0.1', { ttl })] }));

describe('a packet that comes again', () => {
  it('is read once, when it told nothing new', () => {
    const repeats = new Repeats();
    const first = read(repeats, packet('a'));
    expect(read(repeats, packet('a'))).not.toBe(first);
    const second = remembered(repeats, packet('a'));
    expect(read(repeats, packet('a'))).toBe(second);
    expect(second).toEqual(first);
  });

  it('is another when a single byte is', () => {
    const repeats = new Repeats();
    remembered(repeats, packet('a'));
    expect(read(repeats, packet('a', 0)).answers[0]?.ttl).toBe(0);
    expect(read(repeats, packet('a')).answers[0]?.ttl).toBe(120);
  });

  it('is forgotten for others, so that strangers fill no memory, but not while it comes', () => {
    const repeats = new Repeats();
    const kept = remembered(repeats, packet('kept'));
    for (let round = 0; round < 5; round++) {
      for (let i = 0; i < 1000; i++) {
        remembered(repeats, packet(`n${round}-${i}`));
      }
      expect(read(repeats, packet('kept'))).toBe(kept);
    }
    expect(repeats.size).toBeLessThanOrEqual(2048);
    const long = encodeMessage(makeMessage({ response: true, answers: [rr.txt('t.local', [['a', 'x'.repeat(250)], ['b', 'x'.repeat(250)]])] }));
    const size = repeats.size;
    remembered(repeats, long);
    expect(repeats.size).toBe(size);
  });
});
