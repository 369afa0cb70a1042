import { expect, it } from 'vitest';
import { late } from '../src/late.ts';

it('gives what was loaded', async () => {
  expect(await late('It', async () => 1)).toBe(1);
});

it('tells in a typed error what could not be loaded, why, and what to do', async () => {
  const cause = new SyntaxError("The requested module './x.js' does not provide an export named 'y'");
  await expect(late('What speaks with homes', () => Promise.reject(cause))).rejects.toMatchObject({
    name: 'LanpostError', code: 'unsupported', cause, message: expect.stringMatching(/^What speaks with homes cannot be loaded: .*export named 'y'.*start it anew\.$/),
  });
});
