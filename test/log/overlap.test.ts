import { describe, expect, it } from 'vitest';
import { BATCH_RECORDS } from '../../src/log/limits.ts';
import { Overlap } from '../../src/log/overlap.ts';

/** After many batches of so many records, each assembled in 2 µs, on a disk whose fsync takes so long. */
function after(fsyncMs: number, records = 100): Overlap {
  const overlap = new Overlap();
  for (let batch = 0; batch < 50; batch++) {
    overlap.built(records, records * 0.002);
    overlap.wrote(records, records * 0.002 + fsyncMs);
  }
  return overlap;
}

describe('whether batches overlap', () => {
  it('parts what waits for a fast disk in two', () => {
    expect(after(0.3).share(100)).toBe(50);
    expect(after(0.3).share(101)).toBe(51);
    expect(after(0.3).share(1000)).toBe(500);
  });

  it('takes all at once for a disk that syncs more slowly than callers come back', () => {
    expect(after(10).share(100)).toBe(BATCH_RECORDS);
    expect(after(10).share(1000)).toBe(BATCH_RECORDS);
    expect(after(1).share(100)).toBe(BATCH_RECORDS);
  });

  it('parts many on a disk where few would not be parted', () => {
    expect(after(3).share(100)).toBe(BATCH_RECORDS);
    expect(after(3).share(1000)).toBe(500);
  });

  it('never parts a few', () => {
    expect(after(0).share(31)).toBe(BATCH_RECORDS);
    expect(after(0).share(32)).toBe(16);
  });

  it('takes no batch over the limit', () => {
    expect(after(0.1).share(5000)).toBe(BATCH_RECORDS);
  });

  it('knows nothing at first, and begins with everything', () => {
    expect(new Overlap().share(100)).toBe(BATCH_RECORDS);
  });
});
