import { spawn } from 'node:child_process';
import { type JsonLines, readJsonLines } from './json-lines.ts';

/** A program of its own, to be killed, that says what it does in JSON lines. */
export interface KilledProgram<Line> extends Pick<JsonLines<Line>, 'lines' | 'wait' | 'ended'> {
  tell(line: string): void;
  /** SIGKILL; resolves when it is gone and all it said was read. */
  kill(): Promise<void>;
}

/** Starts it with `what` as its argument. */
export function startProgram<Line>(path: string, name: string, what: object): KilledProgram<Line> {
  const program = spawn(process.execPath, [path, JSON.stringify(what)]);
  const said = readJsonLines<Line>(program, name);
  return {
    lines: said.lines, ended: said.ended, wait: (fits, options) => said.wait(fits, { timeout: 120_000, ...options }),
    tell: (line) => void program.stdin.write(`${line}\n`),
    async kill() {
      program.kill('SIGKILL');
      await said.ended;
    },
  };
}
