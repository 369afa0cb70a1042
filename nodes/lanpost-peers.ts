import type { Node, NodeAPI, NodeMessage } from 'node-red';
import type { Box, TopicQuery } from '../src/index.ts';
import { Asked } from './shared/asked.ts';
import type { BoxUserDef } from './shared/box-node.ts';
import { under } from './shared/came-with.ts';
import { filledIn } from './shared/filled-in.ts';
import { follow } from './shared/following.ts';
import { type NoLink, watchLink } from './shared/link-state.ts';
import { NodeStatus } from './shared/node-status.ts';
import { answerQueries } from './shared/queries.ts';
import { choiceOf } from './shared/saved-field.ts';
import { findPeers, ShownPeers, type Wanted } from './shared/shown-peers.ts';
import { textOr } from './shared/text-or.ts';
import { unlessRefused } from './shared/unless-refused.ts';

/** Empty: both. */
const ONLY = ['', 'boxes', 'people'] as const;

interface PeersDef extends BoxUserDef {
  readonly only?: string;
  /** A namespace that the peer's software must know; empty: any. */
  readonly feature?: string;
}

export default function register(RED: NodeAPI): void {
  function LanpostPeers(this: Node, saved: PeersDef): void {
    RED.nodes.createNode(this, saved);
    const def = filledIn(RED, this, saved);
    if (unlessRefused(this, () => choiceOf('only', def.only, ONLY)) === undefined) return;
    const status = new NodeStatus(this);
    const asked = new Asked(status);
    tellEvents(RED, this, def, { status, asked });
    answerQueries(RED, this, def, { asked, status }, async (box, msg) => {
      // The flow's own: what the box knows of its peers it goes by.
      msg.payload = structuredClone(await findPeers(box, wantedBy(def, msg), topicsAsked(msg.topics)));
      return [null, msg];
    });
  }
  RED.nodes.registerType('lanpost peers', LanpostPeers);
}

/** The first output, and the status. */
function tellEvents(RED: NodeAPI, node: Node, def: PeersDef, { status, asked }: { readonly status: NodeStatus; readonly asked: Asked }): void {
  let telling: ShownPeers | undefined;
  const once = async (box: Box, signal: AbortSignal): Promise<void> => {
    const shown = telling ??= new ShownPeers(wantedBy(def));
    const over = new AbortController();
    const end = (): void => over.abort(signal.reason);
    signal.addEventListener('abort', end, { once: true });
    if (signal.aborted) end();
    let link: NoLink | undefined | 'unknown' = 'unknown';
    const show = (): void => {
      if (link === 'unknown') return;
      if (link) status[link.kind](link.text);
      else {
        const connected = [...shown.told.values()].filter((peer) => peer.connected).length;
        status.good(`${connected} connected, ${shown.told.size} seen`);
      }
    };
    const looking = watchLink(() => asked.answer(box.status()), over.signal, (now) => {
      link = now;
      show();
    });
    looking.catch((error: unknown) => over.abort(error)); // a box that does not tell how its link is has gone away
    try {
      for await (const { type, peer } of shown.events(box, over.signal)) {
        if (over.signal.aborted) break;
        node.send([under(peer.name, { event: type, payload: structuredClone(peer) }), null]);
        status.changed(show);
      }
    } finally {
      signal.removeEventListener('abort', end);
      over.abort();
    }
  };
  follow(RED, node, def, status, { opening: 'asking the box', once });
}

/** The node's own fields go before the message's. */
function wantedBy(def: PeersDef, msg?: NodeMessage): Wanted {
  const only = choiceOf(def.only ? 'only' : 'msg.only', textOr(def.only, msg?.only), ONLY);
  const feature = textOr(def.feature, msg?.feature);
  return { ...(only === '' ? {} : { only }), ...(feature === undefined ? {} : { feature }) };
}

/** `true`, or what the topics must have. */
function topicsAsked(topics: unknown): TopicQuery | undefined {
  if (topics === undefined || topics === false) return undefined;
  if (topics === true) return {};
  if (typeof topics !== 'object' || topics === null || Array.isArray(topics)) throw new Error('msg.topics is true, or what topics must have: { text, type, contentType, tags, filter }');
  return topics;
}
