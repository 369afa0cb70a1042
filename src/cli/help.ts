import { COMMON } from './arguments.ts';
import type { Command } from './command.ts';
import type { Option } from './option.ts';

export function synopsis({ name, takes, options }: Command): string {
  const flags = Object.entries(options).map(([flag, { value, multiple, oneOf }]) => (oneOf === undefined ? `[--${flag}${value ? ` ${value}` : ''}]${multiple ? '…' : ''}` : `[--${oneOf} VALUE]…`));
  return ['lanpost', name, ...takes, ...new Set(flags)].join(' ');
}

export function commandHelp(command: Command): string {
  const { summary, notes = [], options, examples } = command;
  return [
    `Usage: ${synopsis(command)}`,
    '',
    `${summary}.`,
    ...notes.length > 0 ? ['', ...notes] : [],
    '',
    'Options:',
    ...optionLines({ ...options, ...COMMON }),
    '',
    examples.length > 1 ? 'Examples:' : 'Example:',
    ...examples.map((example) => `  ${example}`),
  ].join('\n');
}

export function groupHelp(group: string, commands: readonly Command[]): string {
  return [`Usage: lanpost ${group} COMMAND`, '', ...columns(commands.map((command) => [[command.name, ...command.takes].join(' '), command.summary]))].join('\n');
}

export function globalHelp(commands: readonly Command[], groups: Readonly<Record<string, string>>): string {
  return [
    'lanpost: what the things on a local network say to each other, kept, and carried home.',
    '',
    'Usage: lanpost COMMAND [options]',
    '',
    'Commands:',
    ...columns(inShort(commands, groups)),
    '',
    'Options of every command:',
    ...optionLines(COMMON),
    '',
    '`lanpost COMMAND --help` says more about one, and what it wants of the box; `--version` is the version.',
    'Exit codes: 0 done, 1 it failed, 2 wrong command line, 130 Ctrl-C.',
    '',
    'Example:',
    '  lanpost start &',
    '  lanpost subscribe \'sensors/#\' &',
    '  lanpost publish sensors/attic 21.5',
  ].join('\n');
}

/** One line for a command, and one for each group of them. */
function inShort(commands: readonly Command[], groups: Readonly<Record<string, string>>): [string, string][] {
  const lines = new Map<string, [string, string]>();
  for (const { name, takes, summary } of commands) {
    const [word = '', verb = ''] = name.split(' ');
    const known = lines.get(word);
    if (groups[word] === undefined) lines.set(name, [[name, ...takes].join(' '), summary]);
    else lines.set(word, [known ? `${known[0]}|${verb}` : name, groups[word]]);
  }
  return [...lines.values()];
}

function optionLines(options: Readonly<Record<string, Option>>): string[] {
  return columns(Object.entries(options).map(([name, { value, help, multiple }]) => [
    `--${name}${value ? ` ${value}` : ''}`, multiple ? `${help} (may be repeated)` : help,
  ]));
}

function columns(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.min(Math.max(...rows.map(([left]) => left.length)), 34);
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`);
}
