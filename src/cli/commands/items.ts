import type { Delivery, ItemsOptions } from '../../index.ts';
import type { Arguments } from '../arguments.ts';
import type { Command } from '../command.ts';
import { commandIn } from '../hint.ts';
import { timeInWords } from '../measure.ts';
import type { Output } from '../output.ts';
import { printable } from '../printable.ts';
import { UsageError } from '../usage-error.ts';
import { parseFrom } from '../value-argument.ts';
import { valueInWords } from '../value-words.ts';

const MOST = 1000;

export const items: Command = {
  name: 'items',
  takes: ['TOPIC'],
  summary: 'Print the items that a topic holds, oldest first',
  options: {
    last: { type: 'string', value: 'N', help: 'the newest N, 1 to 1000 (default 20)' },
    from: { type: 'string', value: 'WHERE', help: 'begin there: start, a position, or a time' },
    after: { type: 'string', value: 'POSITION', help: 'those above this position' },
    id: { type: 'string', value: 'ID', multiple: true, help: 'the item with this id' },
    limit: { type: 'string', value: 'N', help: 'at most so many, 1 to 1000 (default 100, or what --last says)' },
  },
  notes: ['This only looks: nothing is confirmed by it. A line is the item\'s id and its value; on a terminal its time comes first.'],
  examples: ['lanpost items sensors/attic', 'lanpost items sensors/attic --from 2026-11-23T05:00:00Z --json', 'lanpost items sensors/attic --id reading-7'],
  async run({ args, out, dir, attach }) {
    const [topic = ''] = args.positionals;
    const query = queryOf(args);
    const box = await attach();
    const found = await box.items(topic, query);
    for (const item of found) void print(out, item);
    await out.settled();
    if (!out.terminal) return;
    if (found.length === 0) await out.line('none');
    const newest = found.at(-1);
    const all = query.from === undefined && query.after === undefined;
    if (newest && !all && found.length === (query.limit ?? 100)) {
      await out.line(out.style('dim', `what comes after: \`${commandIn(dir, `lanpost items ${printable(topic)} --after ${newest.seq}`)}\``));
    }
  },
};

function queryOf(args: Arguments): ItemsOptions {
  const last = args.number('last', { least: 1, most: MOST });
  const after = args.number('after', { least: 0, most: Number.MAX_SAFE_INTEGER });
  const limit = args.number('limit', { least: 1, most: MOST });
  const [begin, ids] = [args.text('from'), args.list('id')];
  const ways = Object.entries({ last, after, from: begin, id: ids }).filter(([, given]) => given !== undefined).map(([name]) => `--${name}`);
  if (ways.length > 1) throw new UsageError(`${ways.join(' and ')} exclude each other`);
  const from = begin === undefined ? undefined : parseFrom(begin);
  if (from === 'new' || from === 'last') throw new UsageError(`--from is start, a position or a time here, not "${from}"`);
  return {
    ...last === undefined ? {} : { last }, ...after === undefined ? {} : { after }, ...limit === undefined ? {} : { limit },
    ...from === undefined ? {} : { from }, ...ids === undefined ? {} : { ids },
  };
}

function print(out: Output, item: Delivery): Promise<void> {
  if (out.json) return out.print(item, () => '');
  const [id, value] = item.kind === 'item' ? [item.id, valueInWords(item.value)] : ['-', `[${item.kind}]`];
  if (!out.terminal) return out.fields(id, value);
  return out.line(`${out.style('dim', timeInWords(item.time, item.timeTrusted))}  ${out.style('cyan', printable(id))}  ${printable(value)}`);
}
