import type { Box, Peer } from '../../src/index.ts';

/** One line of the picker. */
export interface Choice {
  readonly value: string;
  /** What people call it. */
  readonly label?: string;
  /** How it stands, in few words. */
  readonly detail?: string;
}

/** What one request gives at most; a search field asks for fewer. */
export const MAX_CHOICES = 100;

type Lister = (box: Box, query: { readonly text: string; readonly limit: number; readonly at: string }) => Promise<readonly Choice[]>;

/** What a dialog can ask the running box for. */
export const CHOICES: ReadonlyMap<string, Lister> = new Map<string, Lister>([
  ['topics', async (box, { text, limit, at }) => {
    if (at !== '') return (await box.peers.topics(at, text === '' ? {} : { text })).map(({ name, title }) => ({ value: name, ...(title ? { label: title } : {}) }));
    const topics = await box.topics.search({ ...(text === '' ? {} : { text }), limit });
    return topics.map(({ name, title, items }) => ({ value: name, ...(title ? { label: title } : {}), detail: items === 1 ? '1 item' : `${items} items` }));
  }],
  ['peers', async (box) => (await box.peers.list()).map(peerChoice)],
  ['homes', async (box) => (await box.homes.list()).map(({ jid, state, reason }) => ({ value: jid, detail: reason === undefined ? state : `${state}: ${reason}` }))],
  /** Whom an item can be followed to. */
  ['followed', async (box) => {
    const [homes, readers] = await Promise.all([box.homes.list(), box.subscriptions.list()]);
    return [
      ...homes.map(({ jid, state }) => ({ value: `xmpp:${jid}`, detail: state })),
      ...readers.filter(({ durable, reader }) => durable && reader === 'local').map(({ name, filter, pending }) => ({ value: name, label: filter, detail: `${pending} waiting` })),
    ];
  }],
  ['addresses', async (box) => {
    const [peers, trusted] = await Promise.all([box.peers.list(), box.trust.list()]);
    const accounts = trusted.flatMap(({ name, claims = [] }) => claims.map(({ address }) => ({ value: address, label: name })));
    return [...peers.map(peerChoice), ...accounts];
  }],
  ['commands', async (box, { at }) => (await box.commands.list(at === '' ? undefined : at)).map(({ name, title }) => ({ value: name, ...(title === undefined ? {} : { label: title }) }))],
  /** Of the nodes that read topics here: what reads messages or losses has a name before its own. */
  ['readers', async (box) => (await box.subscriptions.list()).filter(({ name, reader, durable, source }) => durable && reader === 'local' && !source && !/^(?:inbox|gap):/.test(name)).map(({ name, filter, pending }) => ({ value: name, label: filter, detail: `${pending} waiting` }))],
]);

function peerChoice({ address, nick, status, box, trust }: Peer): Choice {
  return { value: address, ...(nick ? { label: nick } : {}), detail: [status, ...(box ? ['box'] : []), ...(trust === 'none' ? [] : [trust])].join(', ') };
}

/** `at`: whose they are, of what others have. Those whose value or label has the text in it, in any case; at most `MAX_CHOICES`. */
export async function choicesOf(box: Box, kind: string, text: string, at: string = ''): Promise<{ readonly choices: readonly Choice[]; readonly more: boolean } | undefined> {
  const list = CHOICES.get(kind);
  if (!list) return undefined;
  const wanted = text.trim().toLowerCase();
  const all = await list(box, { text: wanted, limit: MAX_CHOICES + 1, at });
  const found = kind === 'topics' ? all : all.filter(({ value, label = '' }) => value.toLowerCase().includes(wanted) || label.toLowerCase().includes(wanted));
  return { choices: found.slice(0, MAX_CHOICES), more: found.length > MAX_CHOICES };
}
