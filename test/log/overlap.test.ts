import { describe, expect, it } from 'vitest';
import { BATCH_RECORDS } from '../../src/log/limits.ts';
import { Overlap } from '../../src/log/overlap.ts';

/** After many batches of a hundred, on a disk whose writes take so long, while the thread works so long for each record. */
function after(writeMs: number, workMs = 0.01): Overlap {
  let busy = 0;
  const overlap = new Overlap(() => busy);
  for (let batch = 0; batch < 50; batch++) {
    busy += 100 * workMs;
    overlap.wrote(100, writeMs);
  }
  return overlap;
}

describe('whether batches overlap', () => {
  it('parts what waits for a fast disk in two', () => {
    expect(after(0.3).share(100)).toBe(50);
    expect(after(0.3).share(101)).toBe(51);
    expect(after(0.3).share(1000)).toBe(500);
  });

  it('takes all at once for a disk that writes more slowly than callers come back', () => {
    expect(after(10).share(100)).toBe(BATCH_RECORDS);
    expect(after(10).share(1000)).toBe(BATCH_RECORDS);
    expect(after(0.6).share(100)).toBe(BATCH_RECORDS);
  });

  it('parts many on a disk where few would not be parted, and few when each is much work', () => {
    expect(after(3).share(100)).toBe(BATCH_RECORDS);
    expect(after(3).share(1000)).toBe(500);
    expect(after(2, 0.05).share(100)).toBe(50);
  });

  it('never parts a few', () => {
    expect(after(0).share(31)).toBe(BATCH_RECORDS);
    expect(after(0).share(32)).toBe(16);
  });

  it('takes no batch over the limit', () => {
    expect(after(0.1).share(5000)).toBe(BATCH_RECORDS);
  });

  it('knows nothing at first, and begins with everything', () => {
    expect(new Overlap(() => 0).share(100)).toBe(BATCH_RECORDS);
  });
});
