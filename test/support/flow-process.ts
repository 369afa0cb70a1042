import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type JsonLines, readJsonLines } from './json-lines.ts';
import { ROOT } from './root.ts';

/** What a flow says, by its own functions. */
export type Said = Readonly<Record<string, unknown>>;

export interface FlowProcess {
  readonly said: JsonLines<Said>;
  /** Lines of one kind, so far. */
  all(what: string): unknown[];
  kill(): Promise<void>;
  stop(): Promise<void>;
}

/** A Node-RED of its own over a flow file; what it prints comes from the flow's functions. */
export async function startFlows(userDir: string, flow: readonly object[], env: Readonly<Record<string, string>> = {}): Promise<FlowProcess> {
  await writeFile(join(userDir, 'flows.json'), JSON.stringify(flow));
  const child: ChildProcessWithoutNullStreams = spawn(process.execPath, [join(ROOT, 'test/support/flow-process.mjs'), userDir], { env: { ...process.env, ...env } });
  const said = readJsonLines<Said>(child, 'Node-RED');
  await said.wait((line) => line['started'] === true, { timeout: 50_000 });
  return {
    said,
    all: (what) => said.lines.flatMap((line) => (what in line ? [line[what]] : [])),
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
