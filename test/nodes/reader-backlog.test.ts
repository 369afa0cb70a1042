import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Asked } from '../../nodes/shared/asked.ts';
import { NodeStatus } from '../../nodes/shared/node-status.ts';
import { queueInWords, ReaderBacklog } from '../../nodes/shared/reader-backlog.ts';
import type { Box } from '../../src/index.ts';

beforeEach(() => { vi.useFakeTimers(); });
afterEach(() => { vi.useRealTimers(); });

it('how much waits is said, and from a minute on how long the oldest has', () => {
  const MINUTE = 60_000;
  expect(queueInWords([undefined], MINUTE)).toBe('');
  expect(queueInWords([{ pending: 3, oldestAge: 59_000 }, undefined], MINUTE)).toBe(', 3 queued');
  expect(queueInWords([{ pending: 3, oldestAge: 59_000 }, { pending: 2, oldestAge: 150_000 }], MINUTE)).toBe(', 5 queued, oldest 3 min');
  expect(queueInWords([{ pending: 1 }], MINUTE)).toBe(', 1 queued'); // the clock was not set when it came
});

it('an age grows by itself while anything waits, and nobody is asked any more when nothing does', async () => {
  let waiting = 2;
  let asked = 0;
  const began = Date.now();
  const box = { subscriptions: { async list() { asked++; return [{ name: 'r', pending: waiting, oldestAge: Date.now() - began }]; } } } as unknown as Box;
  const said: string[] = [];
  const backlog: ReaderBacklog = new ReaderBacklog({ isOf: ({ name }) => name === 'r', asked: new Asked(new NodeStatus({ status: () => undefined })), changed: () => said.push(queueInWords([backlog.now], 60_000)) });
  await backlog.look(box);
  await vi.advanceTimersByTimeAsync(120_000);
  expect([said[0], said.at(-1)]).toEqual([', 2 queued', ', 2 queued, oldest 2 min']);
  waiting = 0;
  await vi.advanceTimersByTimeAsync(5000);
  expect(said.at(-1)).toBe('');
  const before = asked;
  await vi.advanceTimersByTimeAsync(60_000);
  expect(asked).toBe(before);
  waiting = 1;
  backlog.lookLater(box);
  backlog.close();
  await vi.advanceTimersByTimeAsync(60_000);
  expect([asked, vi.getTimerCount()]).toEqual([before, 0]);
});
