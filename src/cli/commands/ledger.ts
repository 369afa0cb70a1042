import type { Box, Delivery, Value } from '../../index.ts';
import type { Command, Context } from '../command.ts';
import { timeInWords } from '../measure.ts';
import { printable } from '../printable.ts';

const LEDGER = '$ledger';
const MOST = 1000;

export const ledger: Command = {
  name: 'ledger',
  takes: [],
  summary: 'Print what readers lost, and why',
  options: { follow: { type: 'boolean', help: 'go on with what is lost from now on, until Ctrl-C' } },
  notes: [
    'One line for each topic of a loss: when, whose, how many records and between which positions, and why. A loss of more',
    'than 32 topics has one line more, for all others of the filter. A loss that goes on has lines that grow: with',
    '--follow they come again each time. The newest 1000 are kept.',
  ],
  examples: ['lanpost ledger', 'lanpost ledger --follow --json'],
  async run(context) {
    const { args, out, attach } = context;
    const box = await attach();
    const subscription = args.flag('follow') ? follow(box, context) : undefined;
    await subscription?.ready;
    let last = 0;
    for (const line of await box.items(LEDGER, { last: MOST })) {
      void print(context, line);
      last = line.seq;
    }
    await out.settled();
    if (last === 0 && out.terminal && !subscription) await out.line('nothing was lost');
    for await (const line of subscription ?? []) {
      if (line.kind === 'item' && line.seq > last) await print(context, line);
    }
  },
};

function follow(box: Box, { signal }: Context): ReturnType<Box['subscribe']> {
  const subscription = box.subscribe(LEDGER);
  signal.addEventListener('abort', () => void subscription.close(), { once: true });
  return subscription;
}

function print({ out }: Context, line: Delivery): Promise<void> {
  if (out.json) return out.print(line, () => '');
  const said = line.kind === 'item' ? fields(line.value) : [];
  const time = timeInWords(line.time, line.timeTrusted);
  if (!out.terminal) return out.fields(time, ...said);
  return out.line(`${out.style('dim', time)}  ${said.map(printable).join('  ')}`);
}

function fields(value: Value): string[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || ArrayBuffer.isView(value)) return [];
  const said = new Map<string, Value>(Object.entries(value));
  const word = (name: string, otherwise: string): string => {
    const found = said.get(name);
    return typeof found === 'string' || typeof found === 'number' ? String(found) : otherwise;
  };
  // Of a filter with more topics than have lines of their own.
  const topic = said.has('besides') ? `${word('topic', '#')} besides ${word('besides', '')} topics` : word('topic', '#');
  return [word('subscription', 'every reader'), topic, `${word('count', 'some')} lost`, `${word('from', '?')} to ${word('to', '?')}`, word('reason', '')];
}
