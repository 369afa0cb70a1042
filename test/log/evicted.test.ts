import { expect, test } from 'vitest';
import { Evicted } from '../../src/log/evicted.ts';
import { MEMORY_FROM } from '../../src/log/memory-seq.ts';
import { Topic } from '../../src/log/topics.ts';

const [a, b, other] = [new Topic(1, 'a'), new Topic(2, 'b'), new Topic(3, 'other')];
const matches = (topic: Topic): boolean => topic !== other;

test('what has left is counted by topic, from where a reader stood', () => {
  const evicted = new Evicted(4);
  const seq = MEMORY_FROM + 5;
  for (const [at, topic] of [a, b, other, a].entries()) evicted.push(seq + at, topic);
  expect(evicted.tally(seq + 1, seq + 3, matches).found).toEqual({ topics: [{ topic: 'b', from: seq + 1, to: seq + 1, count: 1 }, { topic: 'a', from: seq + 3, to: seq + 3, count: 1 }] });
  evicted.push(seq + 4, b);
  const { range, found } = evicted.tally(seq + 1, seq + 4, matches);
  expect([range, found.topics]).toEqual([{ from: seq + 1, to: seq + 4, count: 3 }, [{ topic: 'b', from: seq + 1, to: seq + 4, count: 2 }, { topic: 'a', from: seq + 3, to: seq + 3, count: 1 }]]);
});

test('of what left too long ago it is not said how much it was, nor of which topics', () => {
  const evicted = new Evicted(4);
  for (let seq = 0; seq < 10; seq++) evicted.push(MEMORY_FROM + seq, seq % 2 === 0 ? a : other);
  const { range, found } = evicted.tally(MEMORY_FROM + 2, MEMORY_FROM + 9, matches);
  expect(range).toEqual({ from: MEMORY_FROM + 2, to: MEMORY_FROM + 8 });
  expect(found).toEqual({ topics: [{ topic: 'a', from: MEMORY_FROM + 6, to: MEMORY_FROM + 8 }], others: { from: MEMORY_FROM + 2, to: MEMORY_FROM + 5 } });
});
