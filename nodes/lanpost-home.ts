import type { Node, NodeAPI, NodeMessage } from 'node-red';
import type { Box, HomeStatus } from '../src/index.ts';
import { Asked } from './shared/asked.ts';
import type { BoxUserDef } from './shared/box-node.ts';
import { under } from './shared/came-with.ts';
import { filledIn } from './shared/filled-in.ts';
import { follow } from './shared/following.ts';
import { homeEvents, homesInWords } from './shared/home-events.ts';
import { NodeStatus } from './shared/node-status.ts';
import { answerQueries } from './shared/queries.ts';
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
    const status = new NodeStatus(this);
    const asked = new Asked(status);
    tellEvents(RED, this, def, { only, status, asked });
    answerQueries(RED, this, def, { asked, status }, async (box, msg) => {
      msg.payload = await done(box, actionOf(msg), textOr(only, msg.home)?.replace(/^xmpp:/, ''));
      return [null, msg];
    });
  }
  RED.nodes.registerType('lanpost home', LanpostHome);
}

/** The first output, and the status. */
function tellEvents(RED: NodeAPI, node: Node, def: HomeDef, { only, status, asked }: { readonly only: string; readonly status: NodeStatus; readonly asked: Asked }): void {
  const say = (homes: readonly HomeStatus[]): void => {
    const { kind, text } = homesInWords(homes, only);
    status[kind](text);
  };
  follow(RED, node, def, status, {
    opening: 'asking the box',
    once: async (box, signal) => {
      for await (const { event, home } of homeEvents(() => asked.answer(box.homes.list()), only, signal, say)) node.send([under(home.jid, { event, payload: { ...home } }), null]);
    },
    failed: (words) => status.bad(words),
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
