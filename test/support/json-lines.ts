import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

export interface WaitOptions {
  readonly timeout?: number;
  /** Lines before this index do not count. */
  readonly after?: number;
}

/** What a child process prints, one JSON object a line: kept in order, and waited for. */
export interface JsonLines<Line> {
  readonly lines: readonly Line[];
  readonly stderr: string;
  /** Resolves with the exit code, `null` after a signal, when the child is gone and its output read. */
  readonly ended: Promise<number | null>;
  /** The first line that fits, of those there are or still to come. */
  wait(fits: (line: Line) => boolean, options?: WaitOptions): Promise<Line>;
}

export function readJsonLines<Line>(child: ChildProcessWithoutNullStreams, name: string): JsonLines<Line> {
  const lines: Line[] = [];
  const waiting = new Set<() => void>();
  let stderr = '';
  let over = false;
  const wake = (): void => { for (const look of waiting) look(); };

  child.stderr.setEncoding('utf8').on('data', (text: string) => { stderr += text; });
  child.stdin.on('error', () => { /* it has ended: `ended` and `wait` say so */ });
  let strange: string | undefined;
  createInterface({ input: child.stdout }).on('line', (line) => {
    try {
      lines.push(JSON.parse(line) as Line);
    } catch {
      strange ??= line;
    }
    wake();
  });
  const ended = once(child, 'close').then(() => {
    over = true;
    wake();
    return child.exitCode;
  });

  const wait: JsonLines<Line>['wait'] = (fits, { timeout = 30_000, after = 0 } = {}) => new Promise((resolve, reject) => {
    let next = after;
    const finish = (settle: () => void): void => {
      clearTimeout(timer);
      waiting.delete(look);
      settle();
    };
    const fail = (why: string): void => finish(() => {
      const said = lines.slice(after).slice(-50).map((line) => JSON.stringify(line)).join('\n');
      reject(new Error(`${name}: ${why} while waiting for ${fits.toString()}; it printed:\n${said}\n${stderr}`));
    });
    const look = (): void => {
      for (; next < lines.length; next++) {
        const line = lines[next];
        if (line !== undefined && fits(line)) return finish(() => resolve(line));
      }
      if (strange !== undefined) fail(`it printed what is no JSON, ${JSON.stringify(strange)},`);
      else if (over) fail(`ended with ${child.exitCode ?? child.signalCode}`);
    };
    const timer = setTimeout(() => fail(`${timeout} ms passed`), timeout);
    waiting.add(look);
    look();
  });
  return { lines, ended, wait, get stderr() { return stderr; } };
}
