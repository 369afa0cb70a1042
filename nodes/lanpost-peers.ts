import type { Node, NodeAPI, NodeMessage } from 'node-red';
import type { Peer, PeerEvent } from '../src/index.ts';
import { connectionOf, NO_BOX, type BoxUserDef } from './shared/box-node.ts';
import { readThrough } from './shared/reader.ts';

export default function register(RED: NodeAPI): void {
  function LanpostPeers(this: Node, def: BoxUserDef): void {
    RED.nodes.createNode(this, def);
    const here = new Set<string>();
    const closing = new AbortController();

    readThrough<PeerEvent>(RED, this, def, {
      open: (box, signal) => {
        here.clear();
        return box.peers.watch({ signal });
      },
      each: ({ type, peer }) => {
        if (type === 'down') here.delete(peer.name);
        else here.add(peer.name);
        this.send([{ topic: peer.name, event: type, payload: { ...peer } }, null]);
      },
      words: () => (here.size === 1 ? '1 peer' : `${here.size} peers`),
    });

    const list = async (): Promise<Peer[]> => {
      const connection = connectionOf(RED, def);
      if (!connection) throw new Error(NO_BOX);
      return (await connection.box(closing.signal)).peers.list();
    };
    const answer = async (msg: NodeMessage, send: (msg: (NodeMessage | null)[]) => void, done: (error?: Error) => void): Promise<void> => {
      try {
        msg.payload = (await list()).map((peer) => ({ ...peer }));
      } catch (error) {
        done(error instanceof Error ? error : new Error(String(error)));
        return;
      }
      send([null, msg]);
      done();
    };
    this.on('input', (msg, send, done) => void answer(msg, send, done));
    this.on('close', () => closing.abort(new Error('the node was closed')));
  }
  RED.nodes.registerType('lanpost peers', LanpostPeers);
}
