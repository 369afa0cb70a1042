import { parseArgs } from 'node:util';
import type { Option } from './option.ts';
import { UsageError } from './usage-error.ts';

export const COMMON: Readonly<Record<string, Option>> = {
  dir: { type: 'string', value: 'DIR', help: 'data directory of the box (default .lanpost)' },
  json: { type: 'boolean', help: 'print one JSON object per line' },
  help: { type: 'boolean', help: 'print this help' },
};

type Values = Readonly<Record<string, string | boolean | (string | boolean)[] | undefined>>;

/** Puts a mark before what looks like a negative number, which is a value and never a flag. */
const MARK = '\u0000';
const marked = (argument: string): string => (/^-\.?\d/.test(argument) ? MARK + argument : argument);
const unmarked = (argument: string): string => (argument.startsWith(MARK) ? argument.slice(1) : argument);

/** What may stand on a command's line. */
export interface Grammar {
  readonly takes: readonly string[];
  readonly options: Readonly<Record<string, Option>>;
}

/** The arguments of one command, checked against what it takes. */
export class Arguments {
  readonly positionals: readonly string[];
  readonly #values: Values;

  constructor(command: Grammar, argv: readonly string[]) {
    const options = Object.fromEntries(Object.entries({ ...COMMON, ...command.options })
      .map(([name, { type, multiple = false }]) => [name, { type, multiple, ...name === 'help' ? { short: 'h' } : {} }]));
    try {
      const { positionals, values } = parseArgs({ args: argv.map(marked), options, allowPositionals: true, strict: true });
      this.positionals = positionals.map(unmarked);
      this.#values = values;
    } catch (error) {
      // Node says it well, but in more than one sentence.
      const [reason] = (error instanceof Error ? error.message : String(error)).split('. ');
      throw new UsageError(`${reason}`, { cause: error });
    }
    if (this.flag('help')) return;
    const least = command.takes.filter((name) => !name.startsWith('[')).length;
    if (this.positionals.length < least) throw new UsageError(`${command.takes[this.positionals.length]} is missing`);
    if (this.positionals.length > command.takes.length) {
      const extra = this.positionals[command.takes.length];
      throw new UsageError(`"${extra}" is one argument too many; text with spaces goes in quotes`);
    }
  }

  flag(name: string): boolean { return this.#values[name] === true; }

  text(name: string): string | undefined {
    const value = this.#values[name];
    return typeof value === 'string' ? unmarked(value) : undefined;
  }

  list(name: string): string[] | undefined {
    const value = this.#values[name];
    return Array.isArray(value) ? value.map((one) => unmarked(String(one))) : undefined;
  }

  number(name: string, range: { least: number; most: number; whole?: boolean }): number | undefined {
    const given = this.text(name);
    if (given === undefined) return undefined;
    const { least, most, whole = true } = range;
    const value = Number(given);
    if (given.trim() === '' || !(value >= least && value <= most) || (whole && !Number.isInteger(value))) {
      throw new UsageError(`--${name} takes a ${whole ? 'whole ' : ''}number from ${least} to ${most}, not "${given}"`);
    }
    return value;
  }

  oneOf<Choice extends string>(name: string, choices: readonly Choice[]): Choice | undefined {
    const given = this.text(name);
    if (given === undefined) return undefined;
    return oneOf(`--${name}`, given, choices);
  }
}

export function oneOf<Choice extends string>(what: string, given: string, choices: readonly Choice[]): Choice {
  const choice = choices.find((one) => one === given);
  if (choice === undefined) throw new UsageError(`${what} is one of ${choices.join(', ')}, not "${given}"`);
  return choice;
}
