import { describe, expect, it } from 'vitest';
import { RemoteStream } from '../../src/control/remote-stream.ts';

function open(ahead: number) {
  const pulls: number[] = [];
  let closed = 0;
  const stream = new RemoteStream<number>({
    ahead,
    decode: (_, value) => value as number,
    wire: { pull: (count) => pulls.push(count), close: () => { closed++; } },
  });
  let no = 0;
  const arrive = (...values: number[]) => { for (const value of values) stream.receive({ type: 'next', id: 1, no: no++, value }); };
  const sum = () => pulls.reduce((total, count) => total + count, 0);
  return { stream, pulls, arrive, sum, closed: () => closed };
}

describe('a remote stream', () => {
  it('pulls nothing before it is asked', () => {
    expect(open(64).pulls).toEqual([]);
  });

  it('that reads nothing ahead pulls exactly what is asked for', async () => {
    const { stream, arrive, sum } = open(0);
    const first = stream.next();
    expect(sum()).toBe(1);
    arrive(1);
    await expect(first).resolves.toEqual({ done: false, value: 1 });
    expect(sum()).toBe(1);
    const both = [stream.next(), stream.next()];
    expect(sum()).toBe(3);
    arrive(2, 3);
    expect((await Promise.all(both)).map((step) => step.value)).toEqual([2, 3]);
  });

  it('reads further ahead of a reader that keeps coming back, up to its bound', async () => {
    const { stream, arrive, sum } = open(8);
    let sent = 0;
    let read = 0;
    let most = 0;
    while (read < 100) {
      const step = stream.next();
      most = Math.max(most, sum() - read);
      while (sent < sum()) arrive(sent++);
      expect((await step).value).toBe(read++);
    }
    expect(most).toBeLessThanOrEqual(9); // the one being waited for, and 8 ahead
    expect(most).toBeGreaterThan(4);
  });

  it('gives what had arrived before it failed, then the failure', async () => {
    const { stream, arrive } = open(4);
    const first = stream.next();
    arrive(1, 2);
    await first;
    stream.fail(new Error('cut'));
    await expect(stream.next()).resolves.toEqual({ done: false, value: 2 });
    await expect(stream.next()).rejects.toThrow('cut');
    await expect(stream.ready).rejects.toThrow('cut');
  });

  it('drops what it read ahead when it is closed, and waits for the far end', async () => {
    const { stream, arrive, closed } = open(4);
    const first = stream.next();
    arrive(1, 2);
    await first;
    const closing = stream.close();
    await expect(stream.next()).resolves.toEqual({ done: true, value: undefined });
    expect(closed()).toBe(1);
    arrive(3);
    stream.receive({ type: 'end', id: 1 });
    await closing;
    await stream.close();
    expect(closed()).toBe(1);
  });

  it('rejects its reader with the reason it was aborted for', async () => {
    const { stream, closed } = open(0);
    const step = stream.next();
    stream.abort(new Error('enough'));
    await expect(step).rejects.toThrow('enough');
    await expect(stream.next()).rejects.toThrow('enough');
    expect(closed()).toBe(1);
  });
});
