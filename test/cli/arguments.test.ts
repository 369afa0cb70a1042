import { describe, expect, it } from 'vitest';
import { Arguments, oneOf } from '../../src/cli/arguments.ts';
import type { Command } from '../../src/cli/command.ts';
import { UsageError } from '../../src/cli/usage-error.ts';

const command: Command = {
  name: 'paint', takes: ['WALL', '[COLOUR]'], summary: 'Paint a wall', examples: ['lanpost paint north'],
  options: {
    coats: { type: 'string', value: 'N', help: 'how many' },
    tool: { type: 'string', value: 'T', multiple: true, help: 'with what' },
    wet: { type: 'boolean', help: 'do not wait' },
  },
  async run() { await Promise.resolve(); },
};
const parse = (...argv: string[]) => new Arguments(command, argv);
const refused = (...argv: string[]) => {
  try {
    parse(...argv).number('coats', { least: 1, most: 9 });
  } catch (error) {
    return error instanceof UsageError ? error.message : error;
  }
  return 'taken';
};

describe('the arguments of a command', () => {
  it('are flags, texts, lists and positionals, in any order', () => {
    const args = parse('--tool', 'brush', 'north', '--wet', '--tool=roller', '--coats', '2', 'red');
    expect(args.positionals).toEqual(['north', 'red']);
    expect(args.flag('wet')).toBe(true);
    expect(args.list('tool')).toEqual(['brush', 'roller']);
    expect(args.number('coats', { least: 1, most: 9 })).toBe(2);
    expect([args.text('dir'), args.list('absent'), args.flag('json'), args.number('absent', { least: 0, most: 1 })]).toEqual([undefined, undefined, false, undefined]);
  });

  it('may be a dash, a negative number, or anything after --', () => {
    expect(parse('-', '-5.5').positionals).toEqual(['-', '-5.5']);
    expect(parse('--', '--wet', '-x').positionals).toEqual(['--wet', '-x']);
    expect(parse('north', '--coats', '-5').text('coats')).toBe('-5');
  });

  it.each([
    [['--gloss', 'north'], /Unknown option '--gloss'/],
    [['-q', 'north'], /Unknown option '-q'/],
    [['north', '--coats'], /'--coats <value>' argument missing/],
    [['north', '--wet=no'], /--wet/],
    [[], /^WALL is missing$/],
    [['north', 'red', 'and', 'blue'], /"and" is one argument too many/],
    [['north', '--coats', 'two'], /^--coats takes a whole number from 1 to 9, not "two"$/],
    [['north', '--coats', '1.5'], /whole number/],
    [['north', '--coats', '10'], /from 1 to 9/],
    [['north', '--coats', ''], /whole number/],
  ])('%j are refused in one line', (argv, words) => {
    expect(refused(...argv)).toMatch(words);
    expect(refused(...argv)).not.toContain('\n');
  });

  it('need not be complete to ask for help', () => {
    expect(parse('--help').flag('help')).toBe(true);
  });

  it('of a choice name the choices', () => {
    expect(oneOf('RIGHT', 'read', ['read', 'write'])).toBe('read');
    expect(() => oneOf('RIGHT', 'own', ['read', 'write'])).toThrow('RIGHT is one of read, write, not "own"');
  });
});
