import { array, assert, integer, property, uint8Array } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { frame, FrameReader } from '../../src/control/frame.ts';

const LIMIT = 1000;

describe('frames', () => {
  it('come out as they went in, however the bytes are cut', () => {
    const bodies = array(uint8Array({ maxLength: 300 }), { maxLength: 20 });
    assert(property(bodies, array(integer({ min: 1, max: 50 }), { minLength: 1 }), (sent, cuts) => {
      const stream = Buffer.concat(sent.map((body) => frame(body, LIMIT)));
      const reader = new FrameReader(LIMIT);
      const received: Uint8Array[] = [];
      for (let at = 0, turn = 0; at < stream.length; turn++) {
        const end = at + (cuts[turn % cuts.length] ?? 1);
        received.push(...reader.push(stream.subarray(at, end)));
        at = end;
      }
      expect(received.map((body) => [...body])).toEqual(sent.map((body) => [...body]));
    }));
  });

  it('of more than the limit are not sent', () => {
    expect(() => frame(new Uint8Array(LIMIT + 1), LIMIT)).toThrow(expect.objectContaining({ code: 'too-large' }));
  });

  it('that announce more than the limit are refused before they are held', () => {
    const reader = new FrameReader(LIMIT);
    const header = Buffer.alloc(4);
    header.writeUInt32BE(LIMIT + 1);
    expect(() => reader.push(header)).toThrow(expect.objectContaining({ code: 'too-large' }));
  });

  it('of any bytes at all give bodies within the limit, or that error', () => {
    assert(property(array(uint8Array({ maxLength: 64 })), (chunks) => {
      const reader = new FrameReader(16);
      const outcome = ((): unknown => {
        try {
          return chunks.flatMap((chunk) => reader.push(Buffer.from(chunk))).every((body) => body.length <= 16);
        } catch (error) {
          return (error as { code?: string }).code;
        }
      })();
      expect([true, 'too-large']).toContain(outcome);
    }));
  });
});
