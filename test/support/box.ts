import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, watch } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { attachBox, type Box, LanpostError } from '../../src/index.ts';
import { readJsonLines, type WaitOptions } from './json-lines.ts';
import type { Lan } from './lan.ts';
import { ROOT } from './root.ts';

const CLI = join(ROOT, 'dist/src/cli/main.js');
/** Milliseconds between two looks whether a box is ready, when nothing tells of it. */
const LOOK_AGAIN = 200;

export interface StartBoxOptions {
  readonly dir: string;
  readonly name?: string;
  /** Run it in a host of a LAN; without one it has the machine's own network. */
  readonly lan?: Lan;
  readonly host?: number;
  /** More arguments of `start`. */
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** A command with its arguments that runs `start`, as `strace` does. */
  readonly under?: readonly string[];
  readonly timeout?: number;
}

/** One line of `--json` output. */
export type Line = Readonly<Record<string, unknown>>;

/** A command line in progress whose output is JSON, one object a line. */
export interface Running extends AsyncDisposable {
  readonly child: ChildProcessWithoutNullStreams;
  /** What it has printed, in order. */
  readonly lines: readonly Line[];
  readonly stderr: string;
  /** The first line that fits, of those printed since `after` or still to come. */
  line(fits: (line: Line) => boolean, options?: WaitOptions): Promise<Line>;
  /** Resolves with the exit code when it has ended. */
  readonly ended: Promise<number | null>;
  /** SIGINT, and waits. */
  stop(): Promise<void>;
  kill(): Promise<void>;
}

/** A box in a process of its own, driven as a person would: by its command line. */
export interface BoxProcess extends AsyncDisposable {
  readonly dir: string;
  readonly child: ChildProcessWithoutNullStreams;
  /** Everything `start` has printed so far. */
  readonly output: string;
  /** Runs a command to its end and gives its lines; a failing command rejects with what it said. */
  cli(...args: string[]): Promise<Line[]>;
  /** Starts a command and leaves it running. */
  run(...args: string[]): Running;
  /** The same box through its control socket. Whoever attaches closes. */
  attach(): Promise<Box>;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** SIGINT, as Ctrl-C; gives the exit code. */
  stop(): Promise<number | null>;
}

export async function startBox(options: StartBoxOptions): Promise<BoxProcess> {
  const { dir, name, lan, host = 1, args = [], env = {}, under = [], timeout = 40_000 } = options;
  const program = (runner: readonly string[], rest: readonly string[]): ChildProcessWithoutNullStreams => {
    const [command = process.execPath, ...words] = [...runner, process.execPath, CLI, ...rest];
    return lan ? lan.exec(host, command, words, { env }) : spawn(command, words, { env: { ...process.env, ...env } });
  };
  const run = (...rest: string[]): Running => follow(program([], [...rest, '--dir', dir, '--json']), `lanpost ${rest.join(' ')}`);
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const over = new AbortController();
  // Its socket is among what changes there.
  const changes = watch(dir, { signal: over.signal })[Symbol.asyncIterator]();
  let waiting: Promise<unknown> | undefined;
  const next = (): Promise<unknown> => {
    waiting ??= changes.next().finally(() => { waiting = undefined; });
    waiting.catch(() => undefined); // whoever waits for it sees it
    return waiting;
  };
  const start = program(under, ['start', '--no-editor', '--dir', dir, ...(name === undefined ? [] : ['--name', name]), ...args]);

  let hasEnded = false;
  let output = '';
  const keep = (text: string): void => { output += text; };
  start.stdout.setEncoding('utf8').on('data', keep);
  start.stderr.setEncoding('utf8').on('data', keep);
  const closed = once(start, 'close').then(() => {
    hasEnded = true;
    over.abort();
    return start.exitCode;
  });
  const late = setTimeout(() => {
    output += `(not ready after ${timeout} ms)`;
    start.kill('SIGKILL');
  }, timeout);
  try {
    // It is ready when it answers on its socket; a box that was killed leaves a socket that nobody serves.
    // The socket may be there before it is listened on, and nothing changes after that.
    for (let change = next(); !await isServed(dir); change = next()) await Promise.race([change, pause(LOOK_AGAIN)]);
  } catch (error) {
    if (!hasEnded) throw error;
    throw new Error(`lanpost start ended with ${await closed}:\n${output}`, { cause: error });
  } finally {
    clearTimeout(late);
    over.abort();
  }

  const end = async (signal: 'SIGKILL' | 'SIGINT'): Promise<number | null> => {
    start.kill(signal);
    return closed;
  };
  const cli: BoxProcess['cli'] = async (...rest) => {
    const running = run(...rest);
    running.child.stdin.end();
    const code = await running.ended;
    if (code !== 0) throw new Error(`lanpost ${rest.join(' ')} ended with ${code}: ${running.stderr.trim()}`);
    return [...running.lines];
  };
  return {
    dir, child: start, cli, run,
    get output() { return output; },
    attach: () => attachBox({ dir }),
    async kill() { await end('SIGKILL'); },
    stop: () => end('SIGINT'),
    async [Symbol.asyncDispose]() { await end('SIGKILL'); },
  };
}

async function isServed(dir: string): Promise<boolean> {
  try {
    await (await attachBox({ dir })).close();
    return true;
  } catch (error) {
    if (error instanceof LanpostError) return false; // not yet
    throw error;
  }
}

function follow(child: ChildProcessWithoutNullStreams, name: string): Running {
  const said = readJsonLines<Line>(child, name);
  const end = async (signal: 'SIGINT' | 'SIGKILL'): Promise<void> => {
    child.kill(signal);
    await said.ended;
  };
  return {
    child, lines: said.lines, ended: said.ended, line: (fits, options) => said.wait(fits, options),
    get stderr() { return said.stderr; },
    stop: () => end('SIGINT'),
    kill: () => end('SIGKILL'),
    [Symbol.asyncDispose]: () => end('SIGKILL'),
  };
}
