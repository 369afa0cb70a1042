import type { Carrier } from '../../index.ts';
import type { Command } from '../command.ts';
import { timeInWords } from '../measure.ts';
import { parseSpan } from '../quantity.ts';
import { UsageError } from '../usage-error.ts';

const allow: Command = {
  name: 'outbox allow',
  takes: ['PEER'],
  summary: 'Let a paired box publish what this one cannot bring to its home',
  options: {
    account: { type: 'string', value: 'JID', help: 'what it publishes as (default: the account that it has proven, see trust claim)' },
    home: { type: 'string', value: 'JID', help: 'account of this box whose nodes it may publish to (default: the only one)' },
  },
  notes: ['Both the home and PEER must be there now. Say it again when there are more topics.'],
  examples: ['lanpost outbox allow desk@pc --account desk@home.example'],
  async run({ args, out, attach }) {
    const [peer = ''] = args.positionals;
    const [account, home] = [args.text('account'), args.text('home')];
    const box = await attach();
    await out.table([await box.outbox.allow(peer, { ...account === undefined ? {} : { account }, ...home === undefined ? {} : { home } })], COLUMNS, '');
  },
};

const deny: Command = {
  name: 'outbox deny',
  takes: ['PEER'],
  summary: 'Let a box not publish for this one any more',
  options: {},
  examples: ['lanpost outbox deny desk@pc'],
  async run({ args, out, attach }) {
    const [peer = ''] = args.positionals;
    const box = await attach();
    await box.outbox.deny(peer);
    if (out.json) await out.print({ denied: peer }, () => '');
  },
};

const list: Command = {
  name: 'outbox list',
  takes: [],
  summary: 'List the boxes that may publish for this one',
  options: {},
  examples: ['lanpost outbox list'],
  async run({ out, attach }) {
    const box = await attach();
    await out.table(await box.outbox.list(), COLUMNS, 'no box may publish for this one: lanpost outbox allow --help');
  },
};

const write: Command = {
  name: 'outbox export',
  takes: ['FILE'],
  summary: 'Write what waits for a home to a file that another box can publish',
  options: {
    for: { type: 'string', value: 'PEER', help: 'the box that is to publish it, and alone can read it (required)' },
    expires: { type: 'string', value: 'TIME', help: 'how long it may be published, as in 12h or 30d (default 30d)' },
  },
  notes: [
    'Only topics that keep a history, one record an item; what waits goes on waiting here, until it is confirmed',
    '(outbox confirm) or is at home another way. FILE must not be there yet.',
  ],
  examples: ['lanpost outbox export /mnt/stick/outbox --for desk@pc'],
  async run({ args, out, attach }) {
    const [file = ''] = args.positionals;
    const peer = args.text('for');
    if (peer === undefined) throw new UsageError('--for PEER is missing: whom is the file for?');
    const time = args.text('expires');
    const expires = time === undefined ? undefined : parseSpan('--expires', time);
    const box = await attach();
    const told = await box.outbox.export(file, { for: peer, ...expires === undefined ? {} : { expires } });
    await out.print({ ...told }, () => `${told.records} records in ${told.bytes} bytes, good until ${timeInWords(told.expires)}${told.more ? '; more waits: confirm this file, then export again' : ''}`);
  },
};

const read: Command = {
  name: 'outbox import',
  takes: ['FILE'],
  summary: 'Publish what another box has written for this one',
  options: { confirmation: { type: 'string', value: 'FILE', help: 'where what its author is to be told goes (default FILE.confirmed)' } },
  notes: ['Publishes as the account of this box, and takes a minute longer than that: until it is safe there. Once more changes nothing.'],
  examples: ['lanpost outbox import /mnt/stick/outbox'],
  async run({ args, out, attach }) {
    const [file = ''] = args.positionals;
    const confirmation = args.text('confirmation');
    const box = await attach();
    const told = await box.outbox.import(file, confirmation === undefined ? {} : { confirmation });
    await out.print({ ...told }, () => `${told.records} records: ${told.published} published, ${told.present} there already, ${told.refused} refused${told.expired === 0 ? '' : `, ${told.expired} had expired`}; its author is to be given ${told.confirmation}`);
  },
};

const confirm: Command = {
  name: 'outbox confirm',
  takes: ['FILE'],
  summary: 'Take note of what another box has brought to the home',
  options: {},
  examples: ['lanpost outbox confirm /mnt/stick/outbox.confirmed'],
  async run({ args, out, attach }) {
    const [file = ''] = args.positionals;
    const box = await attach();
    const told = await box.outbox.confirm(file);
    await out.print({ ...told }, () => `${told.records} records are at home`);
  },
};

export const outbox: readonly Command[] = [allow, deny, list, write, read, confirm];

const COLUMNS: Readonly<Record<string, (carrier: Carrier) => string>> = {
  NAME: (carrier) => carrier.peer,
  ACCOUNT: (carrier) => carrier.account,
  HOME: (carrier) => carrier.home,
  FINGERPRINT: (carrier) => carrier.fingerprint,
};
