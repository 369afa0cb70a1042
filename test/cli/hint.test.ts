import { describe, expect, it } from 'vitest';
import { commandIn, hintsIn, whereToRun } from '../../src/cli/hint.ts';

describe('a command that is told', () => {
  it('leads to the box that is meant', () => {
    expect(commandIn('.lanpost', 'lanpost peers')).toBe('lanpost peers');
    expect(commandIn('two', 'lanpost peers')).toBe('lanpost peers --dir two');
    expect(commandIn("/my $(data)'s", 'lanpost peers')).toBe(String.raw`lanpost peers --dir '/my $(data)'\''s'`);
  });

  it('is mended in what a box says, unless it says where already, or it is no box\'s', () => {
    expect(hintsIn('two', 'b is not on the link: see `lanpost peers`')).toBe('b is not on the link: see `lanpost peers --dir two`');
    for (const text of ['see `lanpost status --dir three`', 'see `lanpost send --help`', 'now run `lanpost pair a` on b', 'see `ls`']) expect(hintsIn('two', text)).toBe(text);
    expect(hintsIn('.lanpost', 'see `lanpost peers`')).toBe('see `lanpost peers`');
  });

  it('among much advice is left as it is, and said once where it leads', () => {
    expect(whereToRun('of two', ['Plug it in.', 'Name it: `lanpost doctor PEER`.'])).toBe("What is to be run for this box takes `--dir 'of two'` as well.");
    expect(whereToRun('two', ['Plug it in.', 'Start one with `lanpost start --dir two`.'])).toBeUndefined();
    expect(whereToRun('.lanpost', ['Name it: `lanpost doctor PEER`.'])).toBeUndefined();
  });
});
