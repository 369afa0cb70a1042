import { describe, expect, it } from 'vitest';
import { DEFECTS } from './defects.ts';
import { scripted } from './upstream.ts';

describe('what others were reported to do wrong, with a scripted home', () => {
  it.each(DEFECTS)('$title ($issues)', async ({ check }) => {
    await using upstream = await scripted();
    await expect(check(upstream)).resolves.toBeUndefined();
  });
});
