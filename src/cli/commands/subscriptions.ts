import type { MaxBacklog, SubscriptionInfo } from '../../index.ts';
import type { Command } from '../command.ts';
import { commandIn } from '../hint.ts';
import { bytesInWords, spanInWords, timeInWords } from '../measure.ts';
import { printable } from '../printable.ts';
import { sizeAsTyped, spanAsTyped } from '../quantity.ts';
import { parseFrom } from '../value-argument.ts';

const list: Command = {
  name: 'subscriptions list',
  takes: [],
  summary: 'List who reads durably, and how far each has got',
  options: {},
  notes: ['What a reader has not confirmed is kept for it, whatever else its topic lets go; with --max-backlog (MOST) up to so much.'],
  examples: ['lanpost subscriptions list'],
  async run({ out, dir, attach }) {
    const box = await attach();
    await out.table((await box.subscriptions.list()).filter(({ durable }) => durable), COLUMNS, `nobody reads durably: \`${commandIn(dir, 'lanpost subscribe FILTER --durable NAME')}\` does`);
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

const seek: Command = {
  name: 'subscriptions seek',
  takes: ['NAME', 'WHERE'],
  summary: 'Have a durable reader go on from elsewhere, back or forth',
  options: {},
  notes: ['WHERE is start, last, new, a position, or a time. What it gets again is marked as redelivered; what it has put', 'aside stays so. A reader that has it open goes on from there at once.'],
  examples: ['lanpost subscriptions seek archive start', 'lanpost subscriptions seek archive 2026-11-23T05:00:00Z'],
  async run({ args, out, attach }) {
    const [name = '', where = ''] = args.positionals;
    const from = parseFrom(where, 'WHERE');
    const box = await attach();
    await box.subscriptions.seek(name, from);
    await out.print({ name, from }, () => `${printable(name)} goes on from ${where}`);
  },
};

export const subscriptions: readonly Command[] = [list, seek, drop];

const COLUMNS: Readonly<Record<string, (info: SubscriptionInfo) => string>> = {
  NAME: (info) => info.name,
  FILTER: (info) => info.filter,
  READER: (info) => info.reader,
  FROM: ({ source }) => (source ? `${source.peer}${source.awaySince === undefined ? '' : `, away since ${timeInWords(source.awaySince)}`}` : '-'),
  PENDING: (info) => String(info.pending),
  KEPT: (info) => (info.pending === 0 ? '-' : bytesInWords(info.bytes)),
  OLDEST: (info) => (info.pending === 0 ? '-' : info.oldestAge === undefined ? '?' : spanInWords(info.oldestAge)),
  MOST: ({ maxBacklog = {} }) => most(maxBacklog),
  POSITION: (info) => String(info.position),
  POISON: (info) => (info.poison === 0 ? '-' : String(info.poison)),
  UNREAD: (info) => unread(info),
  HELD: (info) => info.held.join(', ') || '-',
};

/** Of what may wait for it, as `subscribe --max-backlog` takes it. */
function most({ records, bytes, age }: MaxBacklog): string {
  return [records === undefined ? '' : String(records), bytes === undefined ? '' : sizeAsTyped(bytes), age === undefined ? '' : spanAsTyped(age)].filter(Boolean).join(', ') || '-';
}

/** Since when nobody has it open, and until when that may be so. */
function unread({ abandonedSince, expiresAt }: SubscriptionInfo): string {
  if (abandonedSince === undefined) return '-';
  return `since ${timeInWords(abandonedSince)}${expiresAt === undefined ? '' : `, dropped at ${timeInWords(expiresAt)}`}`;
}
