import { expect, test } from 'vitest';
import { EventWriter } from '../../src/link/event-writer.ts';
import type { LogRecord } from '../../src/log/record.ts';
import { parseEvent } from '../../src/xep/pubsub/event.ts';
import { parseElement } from '../../src/xml/parse.ts';
import { serialize } from '../../src/xml/serialize.ts';

const record = (seq: number): LogRecord => ({
  seq, topic: 't', kind: 'publish', previous: seq - 1, recordId: `aaaaaaaaaaaaaaaa-1.00000001-${seq}`,
  stamp: { wall: 5, mono: 5, boot: '1.00000001', trusted: true }, payload: { contentType: 'application/json', bytes: Buffer.from(String(seq)) },
});
const records = Array.from({ length: 20 }, (_, i) => record(i + 1));
const read = (writer: EventWriter, reader: string, some: readonly LogRecord[]) => {
  const event = parseEvent(parseElement(serialize(writer.message(reader, some))));
  return { reader: event?.reader, ids: event?.notices.map(({ recordId }) => Number(recordId.split('-').at(-1))) };
};

test('each reader gets its own records, under its own name, whoever got which before', () => {
  let asked = 0;
  const writer = new EventWriter({ predecessor: ({ previous }) => { asked += 1; return previous; } });
  for (const [reader, from, to] of [['a', 0, 3], ['b', 0, 3], ['c', 0, 2], ['a', 3, 4], ['b', 3, 9], ['c', 9, 10], ['a', 0, 3], ['b', 4, 8], ['c', 0, 3]] as const) {
    expect(read(writer, reader, records.slice(from, to))).toEqual({ reader, ids: Array.from({ length: to - from }, (_, i) => from + i + 1) });
  }
  expect(asked).toBeLessThan(3 + 3 + 2 + 1 + 6 + 1 + 3 + 4 + 3);
});

test('what is written once is worked out once', () => {
  let asked = 0;
  const writer = new EventWriter({ predecessor: ({ previous }) => { asked += 1; return previous; } });
  for (let reader = 0; reader < 100; reader++) writer.message(String(reader), records.slice(0, 10));
  expect(asked).toBe(10);
});
