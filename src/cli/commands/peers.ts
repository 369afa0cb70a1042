import type { Peer, PeerEvent } from '../../index.ts';
import type { Command } from '../command.ts';
import type { Output } from '../output.ts';
import { printable } from '../printable.ts';

export const peers: Command = {
  name: 'peers',
  takes: [],
  summary: 'List who is on the link',
  options: { watch: { type: 'boolean', help: 'go on with who comes, changes and goes, until Ctrl-C' } },
  examples: ['lanpost peers', 'lanpost peers --watch --json'],
  async run({ args, out, signal, attach }) {
    const box = await attach();
    if (!args.flag('watch')) {
      await out.table(await box.peers.list(), COLUMNS, 'nobody else is on the link');
      return;
    }
    try {
      for await (const event of box.peers.watch({ signal })) await printPeerEvent(out, event);
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  },
};

const COLUMNS: Readonly<Record<string, (peer: Peer) => string>> = {
  NAME: (peer) => peer.name,
  STATUS: statusInWords,
  KIND: (peer) => (peer.box ? 'box' : 'person'),
  TRUST: (peer) => peer.trust,
  HOST: (peer) => `${peer.host}:${peer.port}`,
  FINGERPRINT: (peer) => peer.fingerprint?.slice(0, 16) ?? '-',
};

function statusInWords({ status, statusText }: Peer): string {
  return statusText === undefined ? status : `${status} (${statusText})`;
}

const STYLES = { up: 'green', changed: 'yellow', down: 'red' } as const;

export function printPeerEvent(out: Output, event: PeerEvent): Promise<void> {
  const { type, peer } = event;
  return out.print(event, () => {
    const words = [out.style(STYLES[type], type), printable(peer.name), ...type === 'down' ? [] : [printable(statusInWords(peer))]];
    return words.join(out.terminal ? '  ' : '\t');
  });
}
