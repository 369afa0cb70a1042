import type { Grant, TrustEntry } from '../../index.ts';
import { oneOf } from '../arguments.ts';
import type { Command } from '../command.ts';
import { timeInWords } from '../measure.ts';

const RIGHTS = ['read', 'write'] as const;

const list: Command = {
  name: 'trust list',
  takes: [],
  summary: 'List the keys that were seen, and what each may do',
  options: {},
  examples: ['lanpost trust list'],
  async run({ out, attach }) {
    const box = await attach();
    await out.table(await box.trust.list(), COLUMNS, 'no key has been seen');
  },
};

const allow: Command = {
  name: 'trust allow',
  takes: ['PEER', 'RIGHT', 'FILTER'],
  summary: 'Let a peer read or write the topics that match',
  options: {},
  notes: [
    'PEER is a name on the link, or at least 16 digits of a fingerprint; the right belongs to the key, and',
    'follows it when the name changes. RIGHT is read (subscribe) or write (publish).',
  ],
  examples: ['lanpost trust allow desk@pc read \'sensors/#\'', 'lanpost trust allow 3f9a0c5be1d24477 write alarms'],
  async run({ args, out, attach }) {
    const [peer = '', right = '', filter = ''] = args.positionals;
    const asked = oneOf('RIGHT', right, RIGHTS);
    const box = await attach();
    await out.table([await box.trust.allow(peer, asked, filter)], COLUMNS, '');
  },
};

const revoke: Command = {
  name: 'trust revoke',
  takes: ['PEER'],
  summary: 'Take all rights from a peer',
  options: {},
  examples: ['lanpost trust revoke desk@pc'],
  async run({ args, out, attach }) {
    const [peer = ''] = args.positionals;
    const box = await attach();
    await box.trust.revoke(peer);
    if (out.json) await out.print({ revoked: peer }, () => '');
  },
};

export const trust: readonly Command[] = [list, allow, revoke];

const COLUMNS: Readonly<Record<string, (entry: TrustEntry) => string>> = {
  NAME: (entry) => entry.name,
  TRUST: (entry) => entry.level,
  RIGHTS: (entry) => entry.grants.map(({ right, filter }: Grant) => `${right} ${filter}`).join(', ') || '-',
  'LAST SEEN': (entry) => timeInWords(entry.lastSeen),
  FINGERPRINT: (entry) => entry.fingerprint,
};
