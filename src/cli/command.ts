import type { Box } from '../index.ts';
import type { Arguments } from './arguments.ts';
import type { Option } from './option.ts';
import type { Output } from './output.ts';

/** One command of `lanpost`; a command of two words is found by both. */
export interface Command {
  readonly name: string;
  /** Positional arguments, as the help spells them; `[X]` may be left out. */
  readonly takes: readonly string[];
  readonly summary: string;
  readonly options: Readonly<Record<string, Option>>;
  /** What the help says beyond the options. */
  readonly notes?: readonly string[];
  readonly examples: readonly string[];
  /** Resolves to the exit code, when it is not the usual one. */
  run(context: Context): Promise<number | void>;
}

/** What a command works with. */
export interface Context {
  readonly args: Arguments;
  readonly out: Output;
  /** The data directory, as given. */
  readonly dir: string;
  /** Says a line on standard error, beside what is printed. */
  readonly note: (text: string) => Promise<void>;
  /** Aborted by Ctrl-C, by SIGTERM, and when nobody reads the output any more. */
  readonly signal: AbortSignal;
  /** The running box; closed when the command is over. */
  readonly attach: () => Promise<Box>;
}
