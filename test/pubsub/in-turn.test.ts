import { expect, test } from 'vitest';
import { InTurn } from '../../src/pubsub/in-turn.ts';

test('one is done at a time; what waits already is done once, also after one that failed', async () => {
  const turns = new InTurn<string>();
  const done: string[] = [];
  const doing = (name: string) => async (): Promise<string> => {
    done.push(`${name} begins`);
    await Promise.resolve();
    done.push(`${name} ends`);
    if (name === 'bad') throw new Error(name);
    return name;
  };
  const failed = turns.ask('bad', doing('bad'));
  const asked = ['a', 'b', 'a', 'a'].map((name) => turns.ask(name, doing(name)));
  await expect(failed).rejects.toThrow('bad');
  expect(await Promise.all(asked)).toEqual(['a', 'b', 'a', 'a']);
  expect(done).toEqual(['bad begins', 'bad ends', 'a begins', 'a ends', 'b begins', 'b ends']);
  await turns.ask('a', doing('a'));
  expect(done.slice(-2)).toEqual(['a begins', 'a ends']);
});
