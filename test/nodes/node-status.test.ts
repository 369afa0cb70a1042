import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { NodeStatus } from '../../nodes/shared/node-status.ts';

beforeEach(() => { vi.useFakeTimers(); });
afterEach(() => { vi.useRealTimers(); });

function shown(): { readonly status: NodeStatus; readonly texts: string[] } {
  const texts: string[] = [];
  return { texts, status: new NodeStatus({ status: (now) => void texts.push(typeof now === 'object' ? now.text ?? '' : now) }) };
}

it('of a thousand changes in a second the first, the last and three between are shown', () => {
  const { status, texts } = shown();
  let n = 0;
  let words = 0;
  const say = (): void => {
    words++;
    status.good(`received ${n}`);
  };
  for (; n < 1000; n++) {
    status.changed(say);
    vi.advanceTimersByTime(1);
  }
  vi.advanceTimersByTime(250);
  expect([texts.length, texts[0], texts.at(-1)]).toEqual([5, 'received 0', 'received 999']);
  // Most of it is never put into words.
  expect(words).toBe(5);
});

it('what is said again as it was is not shown again, and nothing is after the end', () => {
  const { status, texts } = shown();
  for (const text of ['ready', 'ready', 'ready']) {
    status.idle(text);
    vi.advanceTimersByTime(300);
  }
  status.changed(() => status.good('late'));
  status.close();
  status.good('later');
  vi.advanceTimersByTime(1000);
  expect(texts).toEqual(['ready', 'late', '']);
});
