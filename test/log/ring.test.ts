import { setImmediate as nextTurn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import { Ring } from '../../src/log/ring.ts';
import { Topic } from '../../src/log/topics.ts';

setFlagsFromString('--expose-gc');
const collect: unknown = runInNewContext('gc');

const SIZE = 100_000;
const stamp = { wall: 0, mono: 0, boot: '1.00000000', trusted: true };
const topic = new Topic(1, 't');

it('holds as many bytes as it may, of large records too, and finds them by their place', async () => {
  const ring = new Ring(1 << 20);
  const payloads: WeakRef<Uint8Array>[] = [];
  for (let seq = 1; seq <= 1000; seq++) {
    const bytes = new Uint8Array(SIZE);
    payloads.push(new WeakRef(bytes));
    ring.push({
      seq, topic, previous: seq - 1, recordId: `b-1.00000000-${seq}`, stamp, bytes: SIZE, ordinal: seq, record: undefined, stale: false,
      draft: { topic: 't', kind: 'publish', payload: { contentType: 'text/plain', bytes } },
    });
    expect(ring.at(seq)?.seq).toBe(seq);
    expect(ring.at(ring.first)?.seq).toBe(ring.first);
    expect(ring.at(ring.first - 1)).toBeUndefined();
  }
  expect(ring.first).toBe(991);
  // A weak reference holds on until the turn in which it was made or asked is over.
  await nextTurn();
  if (typeof collect === 'function') collect();
  expect(payloads.filter((payload) => payload.deref() !== undefined)).toHaveLength(10);
  ring.clear();
  expect(ring.first).toBe(Infinity);
});
