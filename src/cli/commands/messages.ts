import type { Message } from '../../index.ts';
import type { Command } from '../command.ts';
import { timeInWords } from '../measure.ts';
import type { Output } from '../output.ts';
import { printable } from '../printable.ts';
import { UsageError } from '../usage-error.ts';

/** Shown first when no reader is named. */
const LAST = 20;
/** Senders of whom it is told what their mark means. */
const EXPLAINED = 64;

export const messages: Command = {
  name: 'messages',
  takes: [],
  summary: 'Print the last 20 messages, then those that come, until Ctrl-C',
  options: {
    name: { type: 'string', value: 'READER', help: 'print what this reader has not seen; it is remembered' },
    device: { type: 'string', value: 'NAME', help: 'print what this device of the box has not read, instead' },
  },
  examples: ['lanpost messages', 'lanpost messages --name pager --json'],
  async run(context) {
    const { args, out, signal } = context;
    const name = args.text('name');
    const device = args.text('device');
    if (name !== undefined && device !== undefined) throw new UsageError('--name and --device cannot go together: a device has one reader');
    const box = await context.attach();
    const stream = box.messages(device !== undefined ? { device } : name === undefined ? { last: LAST } : { name });
    const explained = new Set<string>();
    const stop = (): void => void stream.close();
    signal.addEventListener('abort', stop, { once: true });
    try {
      for await (const message of stream) {
        await printMessage(out, message);
        await explain(out, message, explained);
        message.ack();
      }
    } finally {
      signal.removeEventListener('abort', stop);
      await stream.close();
    }
  },
};

/** XEP-0174 §13.1: the user SHOULD be warned of what anybody may have read or written. What came from a home is its matter. */
function mark({ from, trust }: Message): 'in the clear' | 'not paired' | undefined {
  if (!/^(device:[^@]*@)?link:/.test(from) || trust === 'paired') return undefined;
  return trust === 'none' ? 'in the clear' : 'not paired';
}

/** What the mark means, with the first message of each sender. */
async function explain(out: Output, message: Message, explained: Set<string>): Promise<void> {
  if (!out.terminal || mark(message) !== 'in the clear' || explained.has(message.from) || explained.size >= EXPLAINED) return;
  explained.add(message.from);
  await out.line(out.style('yellow', `  in the clear: whoever is on this network can read what goes to and from ${printable(message.from)}, or pretend to be it`));
}

function printMessage(out: Output, message: Message): Promise<void> {
  if (out.json) return out.print(message, () => '');
  const [from = '', body = ''] = [message.from, message.subject === undefined ? message.body : `${message.subject}: ${message.body}`].map(printable);
  const time = timeInWords(message.time);
  const said = mark(message);
  if (!out.terminal) return out.line([time, from, body, ...said === undefined ? [] : [said]].join('\t'));
  const about = said === undefined ? '' : out.style(said === 'in the clear' ? 'yellow' : 'dim', ` [${said}]`);
  return out.line(`${out.style('dim', time)}  ${out.style('cyan', from)}  ${body}${message.redelivered ? out.style('yellow', ' (again)') : ''}${about}`);
}
