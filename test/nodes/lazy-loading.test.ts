import { expect, it } from 'vitest';
import { readSources } from '../house/sources.ts';

it('what no flow uses costs nothing: the box is loaded when a config node first opens one', () => {
  const early = readSources('nodes').flatMap(({ path, imports }) => imports
    .filter(({ target, typeOnly, late }) => target?.startsWith('src/') && !typeOnly && !late)
    .map(({ target }) => `${path} → ${target}`));
  expect(early).toEqual([]);
});
