import { PassThrough } from 'node:stream';
import { Output } from '../../src/cli/output.ts';

/** What is written to a terminal, to a pipe, or as JSON. */
export interface Screen {
  readonly out: Output;
  readonly text: () => string;
  /** Resolves once it holds these words. */
  readonly until: (words: string) => Promise<string>;
}

export function screen(o: { terminal?: boolean; json?: boolean } = {}): Screen {
  const stream = Object.assign(new PassThrough(), { isTTY: o.terminal ?? false });
  let shown = '';
  const waiting: (() => void)[] = [];
  stream.setEncoding('utf8').on('data', (text: string) => {
    shown += text;
    for (const wake of waiting.splice(0)) wake();
  });
  return {
    out: new Output({ stream, json: o.json ?? false, colour: false }),
    text: () => shown,
    until: async (words) => {
      while (!shown.includes(words)) await new Promise<void>((resolve) => { waiting.push(resolve); });
      return shown;
    },
  };
}
