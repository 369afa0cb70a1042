import type { SubscriptionInfo } from '../../index.ts';
import type { Command } from '../command.ts';
import { commandIn } from '../hint.ts';
import { printable } from '../printable.ts';

const list: Command = {
  name: 'subscriptions list',
  takes: [],
  summary: 'List who reads durably, and how far each has got',
  options: {},
  notes: ['What a reader has not confirmed is kept for it, whatever else its topic lets go.'],
  examples: ['lanpost subscriptions list'],
  async run({ out, dir, attach }) {
    const box = await attach();
    await out.table(await box.subscriptions.list(), COLUMNS, `nobody reads durably: \`${commandIn(dir, 'lanpost subscribe FILTER --durable NAME')}\` does`);
  },
};

const drop: Command = {
  name: 'subscriptions drop',
  takes: ['NAME'],
  summary: 'Forget a durable reader, and what is kept for it alone',
  options: {},
  examples: ['lanpost subscriptions drop archive'],
  async run({ args, out, attach }) {
    const [name = ''] = args.positionals;
    const box = await attach();
    await box.subscriptions.drop(name);
    await out.print({ dropped: name }, () => `${printable(name)} is forgotten; should it come back, it begins anew`);
  },
};

export const subscriptions: readonly Command[] = [list, drop];

const COLUMNS: Readonly<Record<string, (info: SubscriptionInfo) => string>> = {
  NAME: (info) => info.name,
  FILTER: (info) => info.filter,
  READER: (info) => info.reader,
  PENDING: (info) => String(info.pending),
  POSITION: (info) => String(info.position),
  HELD: (info) => info.held.join(', ') || '-',
};
