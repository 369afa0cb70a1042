import type { Node, NodeAPI, NodeMessage } from 'node-red';
import type { Box, HomeStatus } from '../src/index.ts';
import { connectionOf, NO_BOX, onClose, type BoxUserDef } from './shared/box-node.ts';
import { filledIn } from './shared/filled-in.ts';
import { homeEvents, homesInWords } from './shared/home-events.ts';
import { NodeStatus } from './shared/node-status.ts';
import { answerQueries } from './shared/queries.ts';
import { keepReading } from './shared/reading.ts';
import { textOr } from './shared/text-or.ts';

interface HomeDef extends BoxUserDef {
  /** JID of the account; empty: every one, or `msg.home`. */
  readonly home: string;
}

const ACTIONS = ['pause', 'resume', 'status'] as const;
type Action = (typeof ACTIONS)[number];

export default function register(RED: NodeAPI): void {
  function LanpostHome(this: Node, saved: HomeDef): void {
    RED.nodes.createNode(this, saved);
    const def = filledIn(RED, this, saved);
    const only = (def.home ?? '').replace(/^xmpp:/, '');
    follow(RED, this, def, only);
    answerQueries(RED, this, def, async (box, msg) => {
      msg.payload = await done(box, actionOf(msg), textOr(only, msg.home)?.replace(/^xmpp:/, ''));
      return [null, msg];
    });
  }
  RED.nodes.registerType('lanpost home', LanpostHome);
}

/** The first output, and the status. */
function follow(RED: NodeAPI, node: Node, def: HomeDef, only: string): void {
  const connection = connectionOf(RED, def);
  const status = new NodeStatus(node);
  if (!connection) {
    status.bad(NO_BOX);
    onClose(node, async () => status.close());
    return;
  }
  const stop = new AbortController();
  const leave = connection.enter();
  const unwatch = connection.watch((state) => {
    if (state.phase === 'failed') status.bad(state.reason);
    else if (state.phase === 'opening') status.waiting('opening the box');
  });
  const say = (homes: readonly HomeStatus[]): void => {
    const { kind, text } = homesInWords(homes, only);
    status[kind](text);
  };
  const running = keepReading({
    connection, started: connection.flowsStarted(),
    once: async (box, signal) => {
      for await (const { event, home } of homeEvents(box, only, signal, say)) node.send([{ topic: home.jid, event, payload: { ...home } }, null]);
    },
    failed: (words) => status.bad(words),
  }, stop.signal);
  onClose(node, async () => {
    unwatch();
    stop.abort(new Error('the node was closed'));
    await running;
    leave();
    status.close();
  });
}

function actionOf(msg: NodeMessage): Action {
  const action = ACTIONS.find((one) => one === (msg.action ?? msg.payload));
  if (msg.action !== undefined && !action) throw new Error(`msg.action is pause, resume or status, and not ${JSON.stringify(msg.action)}`);
  return action ?? 'status';
}

async function done(box: Box, action: Action, wanted: string | undefined): Promise<HomeStatus | HomeStatus[]> {
  const homes = await box.homes.list();
  if (action === 'status' && wanted === undefined) return homes;
  const jid = wanted ?? (homes.length === 1 ? homes[0]?.jid : undefined);
  if (jid === undefined) throw new Error(homes.length === 0 ? 'this box has no home' : 'which home? fill in the node\'s field or set msg.home');
  if (action !== 'status') return box.homes[action](jid);
  const home = homes.find((one) => one.jid === jid);
  if (!home) throw new Error(`this box has no home ${jid}`);
  return home;
}
