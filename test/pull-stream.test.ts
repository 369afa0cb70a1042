import { expect, test } from 'vitest';
import { type PullParts, PullStream } from '../src/pull-stream.ts';

/** Gives 1, 2, 3 … and, from `last` on, waits for its end. */
function counting(parts: Partial<PullParts<string, { n: number }>> = {}, last = Infinity): { stream: PullStream<string, { n: number }>; closed: string[] } {
  const closed: string[] = [];
  let n = 0;
  const stream = new PullStream<string, { n: number }>({
    source: Promise.resolve('source'),
    async next(_source, ended) {
      if (n < last) return { n: ++n };
      await new Promise((resolve) => { ended.addEventListener('abort', resolve); });
      return undefined;
    },
    close: async (source) => { closed.push(source); },
    ...parts,
  });
  return { stream, closed };
}

test('calls are answered in the order in which they came', async () => {
  const { stream } = counting();
  const steps = await Promise.all([stream.next(), stream.next(), stream.next()]);
  expect(steps.map(({ value }) => (value as { n: number }).n)).toEqual([1, 2, 3]);
});

test('closing ends whoever waits, gives the source up once, and nothing comes after it', async () => {
  const { stream, closed } = counting({}, 1);
  await stream.next();
  const waiting = stream.next();
  await Promise.all([stream.close(), stream.close(), stream.return()]);
  expect(await waiting).toEqual({ done: true, value: undefined });
  expect(await stream.next()).toEqual({ done: true, value: undefined });
  expect(closed).toEqual(['source']);
});

test('leaving the loop closes it', async () => {
  const { stream, closed } = counting();
  for await (const { n } of stream) if (n === 2) break;
  expect(closed).toEqual(['source']);
});

test('an aborted signal closes it, and its reason is thrown as it was given', async () => {
  const stop = new AbortController();
  const { stream, closed } = counting({ signal: stop.signal }, 0);
  const waiting = stream.next();
  stop.abort(new Error('enough'));
  await expect(waiting).rejects.toThrow('enough');
  await expect(stream.next()).rejects.toThrow('enough');
  await stream.close();
  expect(closed).toEqual(['source']);
});

test('one whose signal is aborted already reads nothing', async () => {
  const { stream } = counting({ signal: AbortSignal.abort(new Error('too late')) });
  await expect(stream.next()).rejects.toThrow('too late');
});

test('a source that cannot be opened is told to whoever asks, and closing is no error', async () => {
  const { stream, closed } = counting({ source: Promise.reject(new Error('no source')) });
  await expect(stream.next()).rejects.toThrow('no source');
  await expect(stream.ready).rejects.toThrow('no source');
  await stream.close();
  expect(closed).toEqual([]);
});
