import { describe, expect, it } from 'vitest';
import { needs } from '../../support/needs.ts';
import { DEFECTS } from './defects.ts';
import { served } from './upstream.ts';

describe.each(['prosody', 'ejabberd'] as const)('what others were reported to do wrong, with a home', (kind) => {
  describe.skipIf(!needs(kind))(`on ${kind}`, () => {
    it.each(DEFECTS)('$title ($issues)', async ({ check }) => {
      await using upstream = await served(kind);
      await expect(check(upstream)).resolves.toBeUndefined();
    }, 180_000);
  });
});
