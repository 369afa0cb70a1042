import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { decodeBody } from '../../src/log/body.ts';
import { RowWriter } from '../../src/log/row-writer.ts';
import { decodeHeader, recordBody, recordIntact } from '../../src/log/record.ts';

it('builds each row anew, whatever was in the buffer before, small and large', () => {
  const rows = new RowWriter();
  const stamp = { wall: 5, mono: 6, boot: 'b', trusted: true };
  fc.assert(fc.property(fc.array(fc.tuple(fc.constantFrom(0, 10, 900, 3000, 5000, 70_000, 200_000), fc.nat(50), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 8 }), (sizes) => {
    const put: [Uint8Array, Uint8Array][] = [];
    const tx = { put: (key: Uint8Array, value: Uint8Array) => void put.push([Uint8Array.from(key), Uint8Array.from(value)]) };
    const drafts = sizes.map(([size, more, byte], i) => ({ topic: 't', kind: 'publish' as const, payload: { contentType: 'x/y', bytes: new Uint8Array(size + more).fill(byte) }, publisher: `p${i}` }));
    for (const [i, draft] of drafts.entries()) rows.record(tx, i + 1, 'publish', 7, i, stamp, draft);
    for (const [i, draft] of drafts.entries()) {
      const row = put[i]?.[1] ?? new Uint8Array();
      expect(recordIntact(row)).toBe(true);
      expect(decodeHeader(row)).toMatchObject({ topic: 7, previous: i });
      const { payload, publisher } = decodeBody(recordBody(row));
      expect({ publisher, same: Buffer.compare(payload?.bytes ?? new Uint8Array(), draft.payload.bytes) }).toEqual({ publisher: draft.publisher, same: 0 });
    }
  }), { numRuns: 50 });
});
