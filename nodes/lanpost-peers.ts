import type { Node, NodeAPI, NodeMessage } from 'node-red';
import type { PeerEvent, TopicQuery } from '../src/index.ts';
import { Asked } from './shared/asked.ts';
import type { BoxUserDef } from './shared/box-node.ts';
import { under } from './shared/came-with.ts';
import { filledIn } from './shared/filled-in.ts';
import { NodeStatus } from './shared/node-status.ts';
import { answerQueries } from './shared/queries.ts';
import { readThrough } from './shared/reader.ts';
import { findPeers, shownPeers, type Wanted } from './shared/shown-peers.ts';
import { textOr } from './shared/text-or.ts';

interface PeersDef extends BoxUserDef {
  readonly only?: string;
  /** A namespace that the peer's software must know; empty: any. */
  readonly feature?: string;
}

export default function register(RED: NodeAPI): void {
  function LanpostPeers(this: Node, saved: PeersDef): void {
    RED.nodes.createNode(this, saved);
    const def = filledIn(RED, this, saved);
    const here = new Set<string>();
    const status = new NodeStatus(this);

    readThrough<PeerEvent>(RED, this, def, {
      open: (box, signal) => {
        here.clear();
        return shownPeers(box, wantedBy(def), signal);
      },
      each: ({ type, peer }) => {
        if (type === 'down') here.delete(peer.name);
        else here.add(peer.name);
        this.send([under(peer.name, { event: type, payload: structuredClone(peer) }), null]);
      },
      words: () => (here.size === 1 ? '1 peer' : `${here.size} peers`),
    }, status);
    answerQueries(RED, this, def, new Asked(status), async (box, msg) => {
      // The flow's own: what the box knows of its peers it goes by.
      msg.payload = structuredClone(await findPeers(box, wantedBy(def, msg), topicsAsked(msg.topics)));
      return [null, msg];
    });
  }
  RED.nodes.registerType('lanpost peers', LanpostPeers);
}

/** The node's own fields go before the message's. */
function wantedBy(def: PeersDef, msg?: NodeMessage): Wanted {
  const only = textOr(def.only, msg?.only);
  const feature = textOr(def.feature, msg?.feature);
  if (only !== undefined && only !== 'boxes' && only !== 'people') throw new Error(`only is "boxes" or "people", and not "${only}"`);
  return { ...(only === undefined ? {} : { only }), ...(feature === undefined ? {} : { feature }) };
}

/** `true`, or what the topics must have. */
function topicsAsked(topics: unknown): TopicQuery | undefined {
  if (topics === undefined || topics === false) return undefined;
  if (topics === true) return {};
  if (typeof topics !== 'object' || topics === null || Array.isArray(topics)) throw new Error('msg.topics is true, or what topics must have: { text, type, contentType, tags, filter }');
  return topics;
}
