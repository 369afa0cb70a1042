import { LanpostError, type Peer } from '../../index.ts';
import type { Command } from '../command.ts';

export const show: Command = {
  name: 'peers show',
  takes: ['PEER'],
  summary: 'Say all that a peer says of itself, and what its software can do',
  options: {},
  examples: ['lanpost peers show alice@laptop'],
  async run({ args, out, attach }) {
    const name = (args.positionals[0] ?? '').replace(/^link:/, '');
    const box = await attach();
    const peer = (await box.peers.list()).find((one) => one.name === name);
    if (!peer) throw new LanpostError('not-found', `${name} is not on the link: see \`lanpost peers\``);
    // Without a hash it speaks no such questions, and would let us wait for an answer.
    const features = peer.features ?? (peer.software?.hash === undefined ? undefined : await box.peers.features(name));
    if (out.json) return out.print({ ...peer, ...features ? { features } : {} }, () => '');
    for (const [word, what] of details(peer, features)) void out.fields(out.terminal ? word.padEnd(11) : word, what);
    await out.settled();
  },
};

export function details(peer: Peer, features: readonly string[] = []): [string, string][] {
  const { software, email = [], jid = [], calls = [] } = peer;
  const said: readonly (readonly [string, string | undefined])[] = [
    ['note', peer.readsAsJid ? `its name reads as a JID: write ${peer.address}` : undefined],
    ['status', statusInWords(peer)], ['nick', ofPerson(peer, peer.nick)], ['first', ofPerson(peer, peer.first)], ['last', peer.last],
    ...email.map((one) => ['email', one] as const), ...jid.map((one) => ['jid', one] as const), ['aim', peer.aim],
    ['avatar', peer.avatar], ['calls', calls.length > 0 ? calls.join(', ') : undefined],
    ['software', software && [software.node, ...software.hash === undefined && software.version !== undefined ? [software.version] : []].join(' ')],
    ...features.map((one) => ['feature', one] as const),
    ['host', `${peer.host}:${peer.port}`], ...peer.addresses.map((one) => ['address', one] as const),
    ['trust', peer.trust], ['fingerprint', peer.fingerprint],
  ];
  return [['name', peer.name], ...said.flatMap(([word, what]): [string, string][] => (what === undefined ? [] : [[word, what]]))];
}

/** One that reads as a JID reaches the peer only as `link:NAME`. */
export function nameAsTyped({ name, address, readsAsJid }: Peer): string {
  return readsAsJid ? address : name;
}

/** A box of which nothing is told of a person says its own name there, for the lists of Pidgin and its like. */
function ofPerson({ name, box }: Peer, said: string | undefined): string | undefined {
  return box && (said === name || said === name.split('@')[0]) ? undefined : said;
}

export function statusInWords({ status, statusText }: Peer): string {
  return statusText === undefined ? status : `${status} (${statusText})`;
}
