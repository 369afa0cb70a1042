import type { Box, Delivery, Gap, MaxBacklog } from '../../index.ts';
import type { Command, Context } from '../command.ts';
import { timeInWords } from '../measure.ts';
import type { Output } from '../output.ts';
import { printable } from '../printable.ts';
import { parseSize, parseSpan } from '../quantity.ts';
import { UsageError } from '../usage-error.ts';
import { parseFrom } from '../value-argument.ts';
import { valueInWords } from '../value-words.ts';

/** Printed and not yet taken by whoever reads the output. */
const IN_FLIGHT = 256;

export const subscribe: Command = {
  name: 'subscribe',
  takes: ['FILTER'],
  summary: 'Print what is published, until Ctrl-C',
  options: {
    durable: { type: 'string', value: 'NAME', help: 'a reader that is remembered: it goes on where it was, however it ended' },
    at: { type: 'string', value: 'PEER', help: 'subscribe at a peer; what it sends is stored here first' },
    from: { type: 'string', value: 'WHERE', help: 'where a new reader begins: new (the default), last, start, a position, or a time' },
    count: { type: 'string', value: 'N', help: 'leave after N items' },
    group: { type: 'boolean', help: 'share the durable reader with others that say so, too: each item goes to one of them' },
    'max-deliveries': { type: 'string', value: 'N', help: 'put an item aside that was handed out N times and never confirmed; see `lanpost poison`' },
    'max-backlog': { type: 'string', value: 'BOUND', multiple: true, help: 'let at most N items, a size, or a span wait for the reader; may be said again; none takes it back' },
    'ack-wait': { type: 'string', value: 'SPAN', help: 'hand an item out again, to this reader or another of its group, that was not confirmed for so long; default never' },
    expires: { type: 'string', value: 'SPAN', help: 'drop the durable reader when nobody has read it for so long; default never' },
  },
  notes: [
    'In FILTER, + stands for one level of a topic and # for all that follow; put it in quotes.',
    'A durable reader confirms an item when its line has been taken by whoever reads the output. What was',
    'not confirmed comes again, marked as redelivered.',
  ],
  examples: ['lanpost subscribe \'sensors/#\'', 'lanpost subscribe \'sensors/+/celsius\' --durable archive --from start --json'],
  async run(context) {
    const { args, out, signal } = context;
    const [filter = ''] = args.positionals;
    const [durable, at, from] = [args.text('durable'), args.text('at'), args.text('from')];
    const count = args.number('count', { least: 1, most: Number.MAX_SAFE_INTEGER });
    const maxDeliveries = args.number('max-deliveries', { least: 0, most: 1000 });
    const [expires, ackWait] = [args.text('expires'), args.text('ack-wait')];
    const maxBacklog = args.list('max-backlog');
    const terms = {
      ...args.flag('group') ? { group: true } : {}, ...maxDeliveries === undefined ? {} : { maxDeliveries },
      ...ackWait === undefined ? {} : { ackWait: parseSpan('--ack-wait', ackWait) },
      ...expires === undefined ? {} : { expires: parseSpan('--expires', expires) },
      ...maxBacklog === undefined ? {} : { maxBacklog: backlogIn(maxBacklog) },
    };
    const begin = from === undefined ? {} : { from: parseFrom(from) };
    const box = await context.attach();
    // Few are asked for one by one: whoever comes next does not find them marked as handed out before.
    const inFlight = count !== undefined && count <= IN_FLIGHT ? 1 : IN_FLIGHT;
    const over = new AbortController();
    const noted = at === undefined ? undefined : noteWaits(context, box, over.signal);
    const subscription = box.subscribe(filter, {
      ...durable === undefined ? {} : { durable }, ...at === undefined ? {} : { at }, ...begin, ...terms, ack: 'manual', inFlight,
    });
    const stop = (): void => void subscription.close();
    signal.addEventListener('abort', stop, { once: true });
    try {
      await print(context, subscription, count);
      await out.settled();
    } finally {
      signal.removeEventListener('abort', stop);
      await subscription.close();
      over.abort();
      await noted;
    }
  },
};

/** An owner elsewhere may have to be asked first: until then nothing comes. */
async function noteWaits({ note }: Context, box: Box, signal: AbortSignal): Promise<void> {
  try {
    for await (const { kind, message } of box.troubles({ signal })) if (kind === 'link.waits' || kind === 'link.denied') await note(printable(message));
  } catch {
    // Over, or the box is gone: what is printed says so.
  }
}

/** `10000` is a number of records, `64MiB` their bytes, `1d` their age. */
function backlogIn(bounds: readonly string[]): MaxBacklog {
  const found: { -readonly [K in keyof MaxBacklog]: MaxBacklog[K] } = {};
  for (const bound of bounds) {
    if (bound === 'none') {
      if (bounds.length > 1) throw new UsageError('--max-backlog none stands alone');
    } else if (/^\d+$/.test(bound)) found.records = Number(bound);
    else if (/b$/i.test(bound)) found.bytes = parseSize('--max-backlog', bound);
    else found.age = parseSpan('--max-backlog', bound);
  }
  return found;
}

async function print({ out }: Context, deliveries: AsyncIterable<Delivery>, count = Infinity): Promise<void> {
  let items = 0;
  for await (const delivery of deliveries) {
    const printed = printDelivery(out, delivery).then(() => delivery.ack());
    printed.catch(() => undefined); // told by the next line, or at the end
    if (delivery.kind === 'item') items++;
    if (out.full || items === count) await printed;
    if (items === count) return;
  }
}

function printDelivery(out: Output, delivery: Delivery): Promise<void> {
  if (out.json) return out.print(delivery, () => '');
  const what = [delivery.topic, inWords(delivery)].map(printable);
  if (!out.terminal) return out.line(what.join('\t'));
  const time = out.style('dim', timeInWords(delivery.time, delivery.timeTrusted));
  const again = delivery.redelivered ? out.style('yellow', ' (again)') : '';
  return out.line(`${time}  ${out.style('cyan', what[0] ?? '')}  ${what[1]}${again}`);
}

/** Of a gap in several topics; one is named before it. */
function ofTopics({ topic, topics = [], others }: Gap): string {
  const each = topics.map((one) => `${one.topic} ${one.count ?? '?'}`);
  return topic !== '' || each.length === 0 ? '' : `: ${[...each, ...(others ? [`others ${others.count ?? '?'}`] : [])].join(', ')}`;
}

function inWords(delivery: Delivery): string {
  switch (delivery.kind) {
    case 'item': return valueInWords(delivery.value);
    case 'gap': return `[gap: ${delivery.count ?? 'an unknown number of'} records lost, positions ${delivery.from} to ${delivery.to}, ${delivery.reason}${ofTopics(delivery)}]`;
    case 'retract': return `[retracted: ${delivery.id}]`;
    default: return `[${delivery.kind}]`;
  }
}
