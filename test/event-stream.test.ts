import { expect, test } from 'vitest';
import { EventSource } from '../src/event-stream.ts';

test('an iterator yields what there is first, then what happens, and ends with the source', async () => {
  const source = new EventSource<number>();
  const events = source.follow({ first: [1] });
  source.emit(2);
  expect(await events.next()).toEqual({ done: false, value: 1 });
  expect(await events.next()).toEqual({ done: false, value: 2 });
  const waiting = events.next();
  source.emit(3);
  expect(await waiting).toEqual({ done: false, value: 3 });
  const last = events.next();
  source.close();
  expect(await last).toEqual({ done: true, value: undefined });
});

test('an aborted signal is thrown as it was given', async () => {
  const abort = new AbortController();
  const events = new EventSource<number>().follow({ signal: abort.signal });
  const waiting = events.next();
  abort.abort(new Error('enough'));
  await expect(waiting).rejects.toThrow('enough');
});

test('an iterator that is not asked keeps the newest 1024', async () => {
  const source = new EventSource<number>();
  const events = source.follow();
  for (let i = 0; i < 2000; i++) source.emit(i);
  expect(await events.next()).toEqual({ done: false, value: 976 });
});

test('calls that wait at the same time are all answered', async () => {
  const source = new EventSource<number>();
  const events = source.follow();
  const waiting = [events.next(), events.next(), events.next()];
  source.emit(1);
  source.emit(2);
  source.close();
  expect(await Promise.all(waiting)).toEqual([{ done: false, value: 1 }, { done: false, value: 2 }, { done: true, value: undefined }]);
});
