import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { OpenRecords } from '../../src/log/open-records.ts';
import type { LogRecord } from '../../src/log/record.ts';

const record = (seq: number): LogRecord => ({ seq, topic: 't', kind: 'publish', previous: 0, recordId: `r-${seq}`, stamp: { wall: 0, mono: 0, boot: 'b', trusted: true } });

test('is what a map of them is, in whatever order they are done', () => {
  fc.assert(fc.property(fc.array(fc.oneof(fc.record({ step: fc.integer({ min: 1, max: 3 }) }), fc.record({ done: fc.nat(400) })), { maxLength: 600 }), (steps) => {
    const open = new OpenRecords();
    const map = new Map<number, LogRecord>();
    let seq = 0;
    for (const one of steps) {
      if ('step' in one) {
        seq += one.step;
        open.add(record(seq));
        map.set(seq, record(seq));
      } else {
        open.delete(one.done);
        map.delete(one.done);
      }
      expect(open.size).toBe(map.size);
    }
    expect(open.seqs()).toEqual([...map.keys()]);
    for (let at = 0; at <= seq + 1; at++) expect(open.get(at)).toEqual(map.get(at));
  }));
});

test('holds nothing of what is done, in order or not', () => {
  const open = new OpenRecords();
  for (let seq = 1; seq <= 10_000; seq++) {
    open.add(record(seq));
    if (seq > 100) open.delete(seq - 100);
  }
  expect(open.size).toBe(100);
  for (let seq = 10_000; seq > 9_900; seq--) open.delete(seq);
  expect([open.size, open.seqs(), open.get(9_999)]).toEqual([0, [], undefined]);
});
