import type { OffLinkPeer, Peer, PeerEvent } from '../../index.ts';
import type { Command } from '../command.ts';
import { commandIn } from '../hint.ts';
import type { Output } from '../output.ts';
import { printable } from '../printable.ts';
import { nameAsTyped, show, statusInWords } from './peer.ts';

const list: Command = {
  name: 'peers',
  takes: [],
  summary: 'List who is on the link',
  options: { watch: { type: 'boolean', help: 'go on with who comes, changes and goes, until Ctrl-C' } },
  examples: ['lanpost peers', 'lanpost peers --watch --json'],
  async run({ args, out, signal, attach }) {
    const box = await attach();
    if (!args.flag('watch')) {
      const [there, { link }] = await Promise.all([box.peers.list(), box.status()]);
      // For people only: whoever is not reached is no peer.
      const called = out.json ? [] : (link.offLink ?? []).filter(({ state }) => state !== 'open');
      await out.table([...there, ...called], COLUMNS, 'nobody else is on the link');
      return;
    }
    try {
      for await (const event of box.peers.watch({ signal })) await printPeerEvent(out, event);
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  },
};

const add: Command = {
  name: 'peers add',
  takes: ['HOST[:PORT]'],
  summary: 'Keep a stream to the box there, where multicast does not reach',
  options: {},
  notes: ['It is called now and after every start. The box there must take the call: `lanpost start --accept NETWORK`.'],
  examples: ['lanpost peers add box.example.org', 'lanpost peers add [2001:db8::7]:5298'],
  async run({ args, out, dir, attach }) {
    const [peer = ''] = args.positionals;
    const box = await attach();
    await box.peers.add(peer);
    await out.print({ added: peer }, () => `${printable(peer)} is called from now on; \`${commandIn(dir, 'lanpost peers')}\` says whether it is reached`);
  },
};

const remove: Command = {
  name: 'peers remove',
  takes: ['HOST[:PORT]'],
  summary: 'Call the box there no more',
  options: {},
  examples: ['lanpost peers remove box.example.org'],
  async run({ args, out, attach }) {
    const [peer = ''] = args.positionals;
    const box = await attach();
    await box.peers.remove(peer);
    await out.print({ removed: peer }, () => `${printable(peer)} is called no more`);
  },
};

export const peers: readonly Command[] = [list, show, add, remove];

/** A peer, or one that is called and does not answer. */
type Row = Peer | OffLinkPeer;
const isPeer = (row: Row): row is Peer => 'address' in row;

const COLUMNS: Readonly<Record<string, (row: Row) => string>> = {
  NAME: (row) => (isPeer(row) ? nameAsTyped(row) : row.name ?? '-'),
  STATUS: (row) => (isPeer(row) ? statusInWords(row) : `not reached${row.reason === undefined ? '' : ` (${row.reason})`}`),
  KIND: (row) => (!isPeer(row) ? '-' : row.box ? 'box' : 'person'),
  TRUST: (row) => (isPeer(row) ? row.trust : '-'),
  HOST: (row) => (isPeer(row) ? `${row.host}:${row.port}` : row.peer),
  VIA: (row) => (isPeer(row) ? row.domain ?? row.via ?? 'link' : row.domain ?? 'static'),
  FINGERPRINT: (row) => (isPeer(row) ? row.fingerprint?.slice(0, 16) : undefined) ?? '-',
};

const STYLES = { up: 'green', changed: 'yellow', down: 'red' } as const;

export function printPeerEvent(out: Output, event: PeerEvent): Promise<void> {
  const { type, peer } = event;
  return out.print(event, () => {
    const words = [out.style(STYLES[type], type), printable(nameAsTyped(peer)), ...type === 'down' ? [] : [printable(statusInWords(peer))]];
    return words.join(out.terminal ? '  ' : '\t');
  });
}
