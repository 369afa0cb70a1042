import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import { Ring } from '../../src/log/ring.ts';
import { Topic } from '../../src/log/topics.ts';

setFlagsFromString('--expose-gc');
const collect: unknown = runInNewContext('gc');

function held(): number {
  if (typeof collect === 'function') collect();
  const { arrayBuffers, heapUsed } = process.memoryUsage();
  return arrayBuffers + heapUsed;
}

const SIZE = 100_000;
const stamp = { wall: 0, mono: 0, boot: '1.00000000', trusted: true };
const topic = new Topic(1, 't');

it('holds as many bytes as it may, of large records too, and finds them by their place', () => {
  const ring = new Ring(1 << 20);
  const before = held();
  for (let seq = 1; seq <= 1000; seq++) {
    ring.push({
      seq, topic, previous: seq - 1, recordId: `b-1.00000000-${seq}`, stamp, bytes: SIZE, ordinal: seq, record: undefined,
      draft: { topic: 't', kind: 'publish', payload: { contentType: 'text/plain', bytes: new Uint8Array(SIZE) } },
    });
    expect(ring.at(seq)?.seq).toBe(seq);
    expect(ring.at(ring.first)?.seq).toBe(ring.first);
    expect(ring.at(ring.first - 1)).toBeUndefined();
  }
  expect(ring.first).toBe(991);
  expect(held() - before).toBeLessThan(3 << 20);
  ring.clear();
  expect(ring.first).toBe(Infinity);
});
