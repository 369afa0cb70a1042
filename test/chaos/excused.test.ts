import { expect, test } from 'vitest';
import { Excused } from './excused.ts';

test('what went with a deleted node is excused until it is there again, and nothing else is', () => {
  const excused = new Excused();
  excused.gone(['a-1', 'a-2', 'a-3']);
  // Published after the deletion, and sent again after it.
  excused.there(['a-2', 'a-4']);
  expect([...excused]).toEqual(['a-1', 'a-3']);
  excused.there([]);
  expect([...excused]).toEqual(['a-1', 'a-3']);
  excused.gone(['a-4']);
  expect([...excused]).toEqual(['a-1', 'a-3', 'a-4']);
});
