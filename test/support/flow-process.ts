import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type JsonLines, readJsonLines } from './json-lines.ts';
import type { Lan } from './lan.ts';
import { ROOT } from './root.ts';

/** What a flow says, by its own functions. */
export type Said = Readonly<Record<string, unknown>>;

export interface FlowProcess {
  readonly said: JsonLines<Said>;
  /** Lines of one kind, so far. */
  all(what: string): unknown[];
  /** What functions hear that have asked for it. */
  tell(line: string): void;
  kill(): Promise<void>;
  stop(): Promise<void>;
}

export interface FlowOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** By node. */
  readonly credentials?: Readonly<Record<string, object>>;
  /** Runs it in a host of a LAN. */
  readonly lan?: Lan;
  readonly host?: number;
}

/** A Node-RED of its own over a flow file; what it prints comes from the flow's functions. */
export async function startFlows(userDir: string, flow: readonly object[], { env = {}, credentials, lan, host = 1 }: FlowOptions = {}): Promise<FlowProcess> {
  await writeFile(join(userDir, 'flows.json'), JSON.stringify(flow));
  if (credentials) await writeFile(join(userDir, 'flows_cred.json'), JSON.stringify(credentials));
  const args = [join(ROOT, 'test/support/flow-process.mjs'), userDir];
  const child: ChildProcessWithoutNullStreams = lan ? lan.exec(host, process.execPath, args, { env }) : spawn(process.execPath, args, { env: { ...process.env, ...env } });
  const said = readJsonLines<Said>(child, 'Node-RED');
  await said.wait((line) => line['started'] === true, { timeout: 50_000 });
  return {
    said,
    all: (what) => said.lines.flatMap((line) => (what in line ? [line[what]] : [])),
    tell: (line) => void child.stdin.write(`${line}\n`),
    async kill() {
      child.kill('SIGKILL');
      await said.ended;
    },
    async stop() {
      child.stdin.end();
      await said.ended;
    },
  };
}
