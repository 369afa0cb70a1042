import type { Poison } from '../../index.ts';
import type { Arguments } from '../arguments.ts';
import type { Command } from '../command.ts';
import { timeInWords } from '../measure.ts';
import { printable } from '../printable.ts';
import { UsageError } from '../usage-error.ts';
import { valueInWords } from '../value-words.ts';

const WHICH = ['NAME is a durable reader, as `lanpost subscriptions list` shows it, also of a home; POSITION is one of those', 'that `lanpost poison list` shows. Without one, all of them are meant.'];

const list: Command = {
  name: 'poison list',
  takes: ['[NAME]'],
  summary: 'List what a durable reader was handed too often without confirming it, or a home would not take',
  options: {},
  notes: ['Such items stand in nobody\'s way, and stay until they are confirmed after all, or dropped. Without NAME, those of', 'all readers, homes included.'],
  examples: ['lanpost poison list', 'lanpost poison list archive'],
  async run({ args, out, attach }) {
    const [name] = args.positionals;
    const box = await attach();
    if (name !== undefined) return out.table(await box.subscriptions.poison(name), COLUMNS, `nothing is put aside for ${printable(name)}`);
    const found: (Poison & { readonly reader: string })[] = [];
    for (const { name: reader, poison: count } of await box.subscriptions.list()) {
      if (count > 0) found.push(...(await box.subscriptions.poison(reader)).map((one) => ({ reader, ...one })));
    }
    return out.table(found, { READER: ({ reader }) => reader, ...COLUMNS }, 'nothing is put aside');
  },
};

const retry: Command = {
  name: 'poison retry',
  takes: ['NAME', '[POSITION]'],
  summary: 'Hand it out once more, counted anew',
  options: {},
  notes: WHICH,
  examples: ['lanpost poison retry archive', 'lanpost poison retry "home:box7@example.org sensors/#" 1500'],
  async run({ args, out, attach }) {
    const [name = ''] = args.positionals;
    const seqs = positions(args);
    const box = await attach();
    const retried = await box.subscriptions.retry(name, seqs);
    await out.print({ retried, name }, () => `${retried} ${retried === 1 ? 'item goes' : 'items go'} to ${printable(name)} once more`);
  },
};

const drop: Command = {
  name: 'poison drop',
  takes: ['NAME', '[POSITION]'],
  summary: 'Give it up for good',
  options: {},
  notes: WHICH,
  examples: ['lanpost poison drop archive 1500'],
  async run({ args, out, attach }) {
    const [name = ''] = args.positionals;
    const seqs = positions(args);
    const box = await attach();
    const dropped = await box.subscriptions.dropPoison(name, seqs);
    await out.print({ dropped, name }, () => `${dropped} ${dropped === 1 ? 'item is' : 'items are'} given up; ${printable(name)} will not get ${dropped === 1 ? 'it' : 'them'}`);
  },
};

export const poison: readonly Command[] = [list, retry, drop];

const COLUMNS: Readonly<Record<string, (one: Poison) => string>> = {
  POSITION: ({ delivery }) => String(delivery.seq),
  SINCE: ({ since }) => timeInWords(since),
  DELIVERIES: ({ deliveries }) => (deliveries === undefined ? '-' : String(deliveries)),
  TOPIC: ({ delivery }) => delivery.topic,
  REASON: ({ reason }) => reason,
  VALUE: ({ delivery }) => (delivery.kind === 'item' ? valueInWords(delivery.value) : `[${delivery.kind}]`),
};

function positions({ positionals: [, text] }: Arguments): [number] | undefined {
  if (text === undefined) return undefined;
  if (!/^\d{1,15}$/.test(text)) throw new UsageError(`POSITION is a number that \`lanpost poison list\` shows, not "${text}"`);
  return [Number(text)];
}
