import { once } from 'node:events';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';

/** Lines of the terminal that are not shown while they are typed, one for each prompt. */
export async function hiddenLines(prompts: readonly string[], signal: AbortSignal): Promise<string[]> {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  // From here on the terminal shows nothing by itself: what is typed before the prompt is hidden, too.
  const lines = createInterface({ input: process.stdin, output: nowhere, terminal: true });
  const stop = (): void => lines.close();
  signal.addEventListener('abort', stop, { once: true });
  // And it gives the key itself instead of the signal.
  lines.on('SIGINT', () => process.kill(process.pid, 'SIGINT'));
  const given: string[] = [];
  const ask = (): void => { process.stderr.write(prompts[given.length] ?? ''); };
  lines.on('line', (line) => {
    process.stderr.write('\n');
    if (given.push(line) < prompts.length) ask();
    else lines.close();
  });
  ask();
  await once(lines, 'close');
  signal.removeEventListener('abort', stop);
  if (given.length < prompts.length) process.stderr.write('\n');
  signal.throwIfAborted();
  return given;
}

/** The first line that is piped in. */
export async function firstLine(input: NodeJS.ReadStream, signal: AbortSignal): Promise<string> {
  const lines = createInterface({ input });
  const stop = (): void => lines.close();
  signal.addEventListener('abort', stop, { once: true });
  let first: string | undefined;
  lines.on('line', (text) => {
    first ??= text;
    lines.close();
  });
  await once(lines, 'close');
  input.destroy(); // whoever writes on is not waited for
  return first ?? '';
}
