import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { COMMANDS, GROUPS } from '../../src/cli/commands.ts';
import { commandHelp, globalHelp, groupHelp, synopsis } from '../../src/cli/help.ts';

describe('the help', () => {
  it('names every command in one screen', () => {
    const help = globalHelp(COMMANDS, GROUPS);
    for (const { name, summary } of COMMANDS) {
      const [word = '', verb = ''] = name.split(' ');
      const group = GROUPS[word];
      expect(help).toMatch(new RegExp(`^  ${word} ${group === undefined ? '?' : `.*\\b${verb}\\b.*${group}`}`, 'm'));
      expect(group === undefined ? help : groupHelp(word, COMMANDS)).toMatch(new RegExp(`^  ${name}\\b.*${summary.slice(0, 20)}`, 'm'));
    }
    for (const line of help.split('\n')) expect(line.length).toBeLessThanOrEqual(110);
    expect(help.split('\n').length).toBeLessThanOrEqual(52);
  });

  it.each(COMMANDS.map((command) => [command.name, command] as const))('of %s says how, every flag, and an example that is right', (name, command) => {
    const help = commandHelp(command);
    expect(help.startsWith(`Usage: lanpost ${name}`)).toBe(true);
    for (const flag of [...Object.keys(command.options), 'dir', 'json', 'help']) expect(help).toMatch(new RegExp(`^  --${flag}\\b.* \\w`, 'm'));
    expect(command.examples.length).toBeGreaterThan(0);
    for (const example of command.examples) expect(example).toContain(`lanpost ${name}`);
    for (const line of help.split('\n').slice(1)) expect(line.length).toBeLessThanOrEqual(140);
  });

  it('and docs/CLI.md say the same', async () => {
    const papers = await readFile(new URL('../../docs/CLI.md', import.meta.url), 'utf8');
    for (const command of COMMANDS) {
      expect(papers).toContain(synopsis(command));
      // The settings of a topic have a paper of their own.
      const flags = Object.entries(command.options).filter(([, { oneOf }]) => oneOf === undefined).map(([flag]) => flag);
      for (const flag of flags) expect(papers).toContain(`\`--${flag}`);
    }
  });
});
