import process from 'node:process';
import { attachBox, LanpostError, VERSION, type Box } from '../index.ts';
import { Arguments } from './arguments.ts';
import type { Command } from './command.ts';
import { COMMANDS, GROUPS } from './commands.ts';
import { commandHelp, globalHelp, groupHelp } from './help.ts';
import { hintsIn, USUAL_DIR } from './hint.ts';
import { Interrupted, interruption } from './interruption.ts';
import { BrokenPipe, Output } from './output.ts';
import { printable } from './printable.ts';
import { UsageError } from './usage-error.ts';

/** Milliseconds that a command has to end by itself after Ctrl-C. */
const PATIENCE = 2000;

/** Runs one command line and gives its exit code: 0 done, 1 failed, 2 wrong usage, 130 Ctrl-C. */
export async function run(argv: readonly string[]): Promise<number> {
  const signal = interruption(process);
  const [first = '', second = ''] = argv;
  if (['--help', '-h', 'help'].includes(first)) return help(argv.slice(1));
  if (['--version', '-V'].includes(first)) return tell(VERSION);
  const group = COMMANDS.filter(({ name }) => name === first || name.startsWith(`${first} `));
  if (group.length > 1 && ['--help', '-h'].includes(second)) return tell(groupHelp(first, group));
  // Some words are a command of their own and the first of others.
  const command = group.find(({ name }) => name === `${first} ${second}`) ?? group.find(({ name }) => name === first);
  if (!command) {
    const what = first === '' ? 'a command is missing' : `there is no command "${argv.slice(0, group.length > 0 ? 2 : 1).join(' ')}"`;
    const hint = group.length > 0 ? `one of ${group.map(({ name }) => name).join(', ')}` : 'see `lanpost --help`';
    return complain(`${what}: ${hint}`, 2);
  }
  try {
    return await runCommand(command, argv.slice(command.name.split(' ').length), signal);
  } catch (error) {
    return outcome(error, signal, command);
  }
}

async function runCommand(command: Command, argv: readonly string[], signal: AbortSignal): Promise<number> {
  const args = new Arguments(command, argv);
  if (args.flag('help')) return tell(commandHelp(command));
  const out = new Output({ stream: process.stdout, json: args.flag('json'), colour: !process.env['NO_COLOR'] });
  const dir = args.text('dir') ?? USUAL_DIR;
  // A variable that is not set, most often: not the folder where one happens to be.
  if (dir === '') throw new UsageError('--dir names a directory, and is empty');
  let box: Box | undefined;
  // A box that hangs answers nothing, and a reader that has stalled takes nothing: a while after Ctrl-C neither is waited for.
  const impatient = new Promise<void>((resolve) => {
    signal.addEventListener('abort', () => { setTimeout(() => {
      void box?.close();
      resolve();
      out.abandon(signal.reason);
    }, PATIENCE).unref(); }, { once: true });
  });
  const attach = async (): Promise<Box> => {
    box ??= await attachBox({ dir, signal });
    return box;
  };
  try {
    const code = await command.run({ args, out, dir, signal, attach, note: said });
    await Promise.race([impatient, out.settled()]);
    if (code === undefined) signal.throwIfAborted();
    return code ?? 0;
  } catch (error) {
    if (error instanceof LanpostError) throw new LanpostError(error.code, hintsIn(dir, error.message), { cause: error });
    throw error;
  } finally {
    await box?.close();
  }
}

function outcome(error: unknown, signal: AbortSignal, command: Command): number {
  const why: unknown = signal.reason;
  if (error instanceof BrokenPipe || (why instanceof BrokenPipe && endedBy(error, why))) return 0; // `| head` has read enough
  if (why instanceof Interrupted && endedBy(error, why)) return why.exitCode;
  if (error instanceof UsageError) return complain(`${error.message}; see \`lanpost ${command.name} --help\``, 2);
  if (error instanceof LanpostError && error.code === 'invalid-topic') return complain(error.message, 2);
  return complain(error instanceof Error ? error.message : String(error), 1);
}

/** Whether that failure is how a command ends that was interrupted. */
function endedBy(error: unknown, why: Error): boolean {
  return error === why || (error instanceof LanpostError && ['closed', 'disconnected'].includes(error.code));
}

function help(words: readonly string[]): Promise<number> {
  const name = words.join(' ');
  const command = COMMANDS.find((one) => one.name === name);
  if (command) return tell(commandHelp(command));
  const group = COMMANDS.filter((one) => one.name.startsWith(`${name} `));
  return tell(name !== '' && group.length > 0 ? groupHelp(name, group) : globalHelp(COMMANDS, GROUPS));
}

function tell(text: string): Promise<number> {
  return new Promise((resolve) => { process.stdout.write(`${text}\n`, () => resolve(0)); });
}

function complain(text: string, code: number): number {
  void said(text);
  return code;
}

/** One line, whatever the error brought: its words may be a stranger's. Resolves when it is written: whoever says much waits for a reader that stalls. */
function said(text: string): Promise<void> {
  return new Promise((resolve) => { process.stderr.write(`lanpost: ${printable(text.trim().replace(/\s*\n\s*/g, ' '))}\n`, () => resolve()); });
}
