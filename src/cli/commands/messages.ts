import type { Message } from '../../index.ts';
import type { Command } from '../command.ts';
import { timeInWords } from '../measure.ts';
import type { Output } from '../output.ts';
import { printable } from '../printable.ts';

/** Shown first when no reader is named. */
const LAST = 20;

export const messages: Command = {
  name: 'messages',
  takes: [],
  summary: 'Print the last 20 messages, then those that come, until Ctrl-C',
  options: { name: { type: 'string', value: 'READER', help: 'print what this reader has not seen; it is remembered' } },
  examples: ['lanpost messages', 'lanpost messages --name pager --json'],
  async run(context) {
    const { args, out, signal } = context;
    const name = args.text('name');
    const box = await context.attach();
    const stream = box.messages(name === undefined ? { last: LAST } : { name });
    const stop = (): void => void stream.close();
    signal.addEventListener('abort', stop, { once: true });
    try {
      for await (const message of stream) {
        await printMessage(out, message);
        message.ack();
      }
    } finally {
      signal.removeEventListener('abort', stop);
      await stream.close();
    }
  },
};

function printMessage(out: Output, message: Message): Promise<void> {
  if (out.json) return out.print(message, () => '');
  const [from = '', body = ''] = [message.from, message.subject === undefined ? message.body : `${message.subject}: ${message.body}`].map(printable);
  const time = timeInWords(message.time);
  if (!out.terminal) return out.line([time, from, body].join('\t'));
  return out.line(`${out.style('dim', time)}  ${out.style('cyan', from)}  ${body}${message.redelivered ? out.style('yellow', ' (again)') : ''}`);
}
