import type { Box, SubscriptionRequest, TopicAffiliation } from '../../index.ts';
import { oneOf } from '../arguments.ts';
import type { Command, Context } from '../command.ts';
import { printable } from '../printable.ts';

const AFFILIATIONS = ['owner', 'publisher', 'publish-only', 'member', 'outcast', 'none'] as const;

const list: Command = {
  name: 'access list',
  takes: ['TOPIC'],
  summary: 'Say who stands how to a topic',
  options: {},
  notes: ['The owner of this box is owner of every topic and is not listed. What is allowed in general is in `lanpost trust list`.'],
  examples: ['lanpost access list sensors/attic'],
  async run({ args, out, attach }) {
    const [topic = ''] = args.positionals;
    const box = await attach();
    await out.table(await box.topics.affiliations(topic), COLUMNS, `nothing is said of anybody at ${printable(topic)}`);
  },
};

const set: Command = {
  name: 'access set',
  takes: ['TOPIC', 'PEER', 'AFFILIATION'],
  summary: 'Say how a peer stands to a topic',
  options: {},
  notes: [
    'AFFILIATION is owner (everything), publisher (reads, publishes, retracts its own), publish-only, member (reads), outcast',
    '(nothing, whatever else is said), or none, which takes it back. PEER is a name on the link, or at least 16 digits of a',
    'fingerprint; what is said of it belongs to the key, and follows it when the name changes.',
  ],
  examples: ['lanpost access set sensors/attic desk@pc member', 'lanpost access set alarms 3f9a0c5be1d24477 publisher'],
  async run({ args, out, attach }) {
    const [topic = '', peer = '', given = ''] = args.positionals;
    const affiliation = oneOf('AFFILIATION', given, AFFILIATIONS);
    const box = await attach();
    await box.topics.setAffiliation(topic, peer, affiliation);
    await out.table(await box.topics.affiliations(topic), COLUMNS, `nothing is said of anybody at ${printable(topic)}`);
  },
};

const requests: Command = {
  name: 'access requests',
  takes: ['[TOPIC]'],
  summary: 'List the peers that wait to be let subscribe',
  options: {},
  notes: ['To topics whose access model is authorize.'],
  examples: ['lanpost access requests', 'lanpost access requests alarms'],
  async run({ args, out, attach }) {
    const [topic] = args.positionals;
    const box = await attach();
    await out.table(await box.topics.requests(topic), REQUESTS, 'nobody waits');
  },
};

const approve: Command = {
  name: 'access approve',
  takes: ['TOPIC', 'PEER'],
  summary: 'Let a peer that waits subscribe to a topic',
  options: {},
  examples: ['lanpost access approve alarms desk@pc'],
  run: (context) => decide(context, 'approve'),
};

const deny: Command = {
  name: 'access deny',
  takes: ['TOPIC', 'PEER'],
  summary: 'Do not let a peer that waits subscribe to a topic',
  options: {},
  examples: ['lanpost access deny alarms desk@pc'],
  run: (context) => decide(context, 'deny'),
};

export const access: readonly Command[] = [list, set, requests, approve, deny];

async function decide({ args, out, attach }: Context, what: keyof Pick<Box['topics'], 'approve' | 'deny'>): Promise<void> {
  const [topic = '', peer = ''] = args.positionals;
  const box = await attach();
  await box.topics[what](topic, peer);
  const allowed = what === 'approve';
  await out.print({ topic, peer, allowed }, () => `${printable(peer)} ${allowed ? 'subscribes' : 'does not subscribe'} to ${printable(topic)}, and is told`);
}

const COLUMNS: Readonly<Record<string, (entry: TopicAffiliation) => string>> = {
  PEER: (entry) => entry.peer,
  AFFILIATION: (entry) => entry.affiliation,
  FINGERPRINT: (entry) => entry.fingerprint ?? '-',
};

const REQUESTS: Readonly<Record<string, (entry: SubscriptionRequest) => string>> = {
  TOPIC: (entry) => entry.topic,
  PEER: (entry) => entry.peer,
  FINGERPRINT: (entry) => entry.fingerprint,
};
