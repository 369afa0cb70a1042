import { describe, expect, it } from 'vitest';
import { OneByOne } from '../src/one-by-one.ts';

describe('work that is done one by one', () => {
  it('begins when what was asked for before is over, however that ended', async () => {
    const turns = new OneByOne();
    const did: string[] = [];
    const work = (name: string, fails = false) => turns.run(async () => {
      did.push(`${name} begins`);
      await Promise.resolve();
      did.push(`${name} ends`);
      if (fails) throw new Error(name);
      return name;
    });
    const all = Promise.allSettled([work('a'), work('b', true), work('c')]);
    await turns.settled();
    expect(did).toEqual(['a begins', 'a ends', 'b begins', 'b ends', 'c begins', 'c ends']);
    expect((await all).map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  });
});
