import type { AccountClaim, AccountRules, ClassRules, Grant, TrustEntry } from '../../index.ts';
import { oneOf } from '../arguments.ts';
import type { Command, Context } from '../command.ts';
import { timeInWords } from '../measure.ts';
import { printable } from '../printable.ts';
import { UsageError } from '../usage-error.ts';

const RIGHTS = ['chat', 'read', 'write', 'files', 'relay', 'command', 'device'] as const;
const PEER = [
  'PEER is a name on the link, or at least 16 digits of a fingerprint; what is said of it belongs to the key, and',
  'follows it when the name changes. Or PEER is a class: class:plain (no key, as Pidgin), class:seen (a key that',
  'nobody vouched for), class:paired. RIGHT is read (subscribe) or write (publish), with a FILTER of topics; or chat,',
  'or files (taken without asking); or relay, with the server that a paired box may be connected to through this one:',
  'HOST:PORT or [IPV6]:PORT, or xmpp:DOMAIN where DNS says which host serves it; or command, with a FILTER of commands\' names;',
  'or device, with a FILTER of names of devices that may be written to. Unless something is said, everybody may chat, and',
  'nothing else. PEER may be xmpp:JID, too, for command and device, and xmpp:DOMAIN for device: then that account, or',
  'everybody there, may do so by way of a home, whose word is taken for it.',
];

const list: Command = {
  name: 'trust list',
  takes: [],
  summary: 'List the keys that were seen, and what each may do',
  options: {
    classes: { type: 'boolean', help: 'what holds for each class of peers, instead' },
    accounts: { type: 'boolean', help: 'what accounts elsewhere may do by way of a home, instead' },
  },
  examples: ['lanpost trust list', 'lanpost trust list --classes'],
  async run({ args, out, attach }) {
    const box = await attach();
    if (args.flag('classes')) await out.table(await box.trust.classes(), RULES, '');
    else if (args.flag('accounts')) await out.table(await box.trust.accounts(), OF_ACCOUNTS, 'nothing is said of any account');
    else await out.table(await box.trust.list(), COLUMNS, 'no key has been seen');
  },
};

const allow: Command = {
  name: 'trust allow',
  takes: ['PEER', 'RIGHT', '[FILTER]'],
  summary: 'Let a peer, or a class of peers, do something',
  options: {},
  notes: [...PEER, 'A key that is allowed something is vouched for by that.'],
  examples: ['lanpost trust allow desk@pc read \'sensors/#\'', 'lanpost trust allow 3f9a0c5be1d24477 write alarms', 'lanpost trust allow class:seen read \'public/#\'', 'lanpost trust allow desk@pc relay xmpp:home.example', 'lanpost trust allow desk@pc command \'lights/#\'', 'lanpost trust allow xmpp:me@home.example command \'#\''],
  run: (context) => say(context, 'allow'),
};

const deny: Command = {
  name: 'trust deny',
  takes: ['PEER', 'RIGHT', '[FILTER]'],
  summary: 'Let a peer, or a class of peers, not do something',
  options: {},
  notes: [...PEER, 'What is denied to a key is denied whatever is allowed to it, or to its class.'],
  examples: ['lanpost trust deny desk@pc chat', 'lanpost trust deny class:plain chat'],
  run: (context) => say(context, 'deny'),
};

const revoke: Command = {
  name: 'trust revoke',
  takes: ['PEER'],
  summary: 'Take back all that was said of a peer or a class',
  options: {},
  examples: ['lanpost trust revoke desk@pc', 'lanpost trust revoke class:plain'],
  async run({ args, out, attach }) {
    const [peer = ''] = args.positionals;
    const box = await attach();
    await box.trust.revoke(peer);
    if (peer.startsWith('xmpp:')) return out.print({ revoked: peer }, () => `nothing is said of ${printable(peer)} any more: it may do nothing here`);
    await out.print({ revoked: peer }, () => (peer.startsWith('class:') ? `nothing is said of ${peer} any more: it may chat, and nothing else`
      : `nothing is said of ${printable(peer)} any more: its key counts as seen, and may what class:seen may`));
  },
};

const claim: Command = {
  name: 'trust claim',
  takes: ['PEER', 'ADDRESS'],
  summary: 'Say that an account is used by a paired peer alone',
  options: {},
  notes: [
    'ADDRESS is xmpp:NAME@DOMAIN. Once the peer has proven that it has the account, which it does by itself while both it',
    'and a home are connected, mail for the account goes over the link when the peer is there, and through home when it is',
    'not. So say it of an account that no phone and no other box uses. Saying it again has it proven anew, at once.',
  ],
  examples: ['lanpost trust claim desk@pc xmpp:desk@home.example'],
  async run({ args, out, attach }) {
    const [peer = '', address = ''] = args.positionals;
    const box = await attach();
    await out.table([await box.trust.claim(peer, address)], COLUMNS, '');
  },
};

const disclaim: Command = {
  name: 'trust disclaim',
  takes: ['ADDRESS'],
  summary: 'Say that an account is not used by one peer alone any more',
  options: {},
  examples: ['lanpost trust disclaim xmpp:desk@home.example'],
  async run({ args, out, attach }) {
    const [address = ''] = args.positionals;
    const box = await attach();
    await box.trust.disclaim(address);
    await out.print({ disclaimed: address }, () => `mail for ${printable(address)} goes through home`);
  },
};

export const trust: readonly Command[] = [list, allow, deny, revoke, claim, disclaim];

async function say({ args, out, attach }: Context, what: 'allow' | 'deny'): Promise<void> {
  const [peer = '', given = '', filter] = args.positionals;
  const right = oneOf('RIGHT', given, RIGHTS);
  const needsFilter = right === 'read' || right === 'write' || right === 'relay' || right === 'command' || right === 'device';
  if (needsFilter && filter === undefined) throw new UsageError(`FILTER is missing: ${right} ${WHAT[right] ?? 'which topics'}?`);
  if (!needsFilter && filter !== undefined) throw new UsageError(`"${filter}" is one argument too many: ${right} has no filter`);
  const box = await attach();
  const said = await box.trust[what](peer, right, filter);
  if ('fingerprint' in said) await out.table([said], COLUMNS, '');
  else if (isOfClass(said)) await out.table([said], RULES, '');
  else await out.table([said], OF_ACCOUNTS, '');
}

const WHAT: Readonly<Record<string, string>> = { relay: 'to which server', command: 'which commands', device: 'which devices' };

function isOfClass(said: ClassRules | AccountRules): said is ClassRules {
  return said.name.startsWith('class:');
}

function worded({ right, filter }: Grant): string {
  return filter === undefined ? right : `${right} ${filter}`;
}

function inWords({ grants, denials }: Pick<AccountRules, 'grants' | 'denials'>): string {
  return [...grants.map(worded), ...denials.map((denial) => `not ${worded(denial)}`)].join(', ');
}

function inState({ address, state, since, reason }: AccountClaim): string {
  return `${address} ${state} since ${timeInWords(since)}${reason === undefined ? '' : ` (${reason})`}`;
}

const COLUMNS: Readonly<Record<string, (entry: TrustEntry) => string>> = {
  NAME: (entry) => entry.name,
  TRUST: (entry) => entry.level,
  RIGHTS: (entry) => inWords(entry) || '-',
  'LAST SEEN': (entry) => timeInWords(entry.lastSeen),
  FINGERPRINT: (entry) => entry.fingerprint,
  ACCOUNTS: (entry) => (entry.claims ?? []).map(inState).join(', ') || '-',
};

const OF_ACCOUNTS: Readonly<Record<string, (rules: AccountRules) => string>> = {
  ACCOUNT: (rules) => rules.name,
  RIGHTS: inWords,
};

const RULES: Readonly<Record<string, (rules: ClassRules) => string>> = {
  CLASS: (rules) => rules.name,
  RIGHTS: (rules) => {
    const said = inWords(rules);
    return [...rules.grants, ...rules.denials].some(({ right }) => right === 'chat') ? said : ['chat', said].filter(Boolean).join(', ');
  },
};
