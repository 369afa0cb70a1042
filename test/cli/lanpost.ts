// The built command line, run as a person runs it. `npm test` builds it first.
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../dist/src/cli/main.js', import.meta.url));

export interface Ran { readonly code: number | null; readonly out: string; readonly err: string }

export interface Running {
  readonly child: ChildProcessWithoutNullStreams;
  readonly ended: Promise<Ran>;
  /** What it has printed, once that contains `text`. */
  until(text: string): Promise<string>;
}

export function launch(args: readonly string[], flags: readonly string[] = []): Running {
  
  const child = spawn(process.execPath, [...flags, MAIN, ...args], { env: { ...process.env, NO_COLOR: '1' } });
  let out = '';
  let err = '';
  const waiting: (() => void)[] = [];
  const wake = (): void => { for (const resolve of waiting.splice(0)) resolve(); };
  child.stdout.setEncoding('utf8').on('data', (text: string) => { out += text; wake(); });
  child.stderr.setEncoding('utf8').on('data', (text: string) => { err += text; });
  child.stdin.on('error', () => undefined); // it may end before it has read all
  let over = false;
  const ended = once(child, 'close').then(() => {
    over = true;
    wake();
    return { code: child.exitCode, out, err };
  });
  return {
    child, ended,
    async until(text) {
      while (!out.includes(text)) {
        if (over) throw new Error(`ended without "${text}": ${out}${err}`);
        await new Promise<void>((resolve) => { waiting.push(resolve); });
      }
      return out;
    },
  };
}

export async function lanpost(args: readonly string[], input = ''): Promise<Ran> {
  const running = launch(args);
  running.child.stdin.end(input);
  return running.ended;
}

export const objects = (out: string): Record<string, unknown>[] => out.split('\n').filter(Boolean).map((line) => JSON.parse(line) as Record<string, unknown>);
