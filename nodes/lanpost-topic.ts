import type { Node, NodeAPI, NodeMessage } from 'node-red';
import type { Box, TopicInfo, TopicSettings } from '../src/index.ts';
import type { BoxUserDef } from './shared/box-node.ts';
import { under } from './shared/came-with.ts';
import { filledIn } from './shared/filled-in.ts';
import { codeOf } from './shared/in-words.ts';
import { choiceOf, isOn } from './shared/saved-field.ts';
import { sendThrough } from './shared/sender.ts';
import { textOr } from './shared/text-or.ts';
import { unlessRefused } from './shared/unless-refused.ts';

/** `set`: made when it is not there, else configured. `message`: what `msg.action` says. */
const ACTIONS = ['set', 'create', 'configure', 'get', 'list', 'delete', 'message'] as const;
/** What a field for a setting of the topic may be; empty: nothing is said of it. */
const LANES = ['', 'history', 'latest'] as const;
const ACCESS_MODELS = ['', 'open', 'presence', 'roster', 'authorize', 'whitelist'] as const;
type Action = Exclude<(typeof ACTIONS)[number], 'message'>;

interface TopicDef extends BoxUserDef {
  /** Empty: `msg.topic`. */
  readonly topic: string;
  readonly action: string;
  /** Also when the flows start, without a message. */
  readonly deploy: boolean | string;
  /** What is empty is not said. */
  readonly lane: string;
  readonly key: string;
  readonly maxItems: number | string;
  readonly accessModel: string;
  /** More of them, as JSON. */
  readonly settings: string;
}

export default function register(RED: NodeAPI): void {
  function LanpostTopic(this: Node, saved: TopicDef): void {
    RED.nodes.createNode(this, saved);
    const def = filledIn(RED, this, saved);
    const chosen = unlessRefused(this, () => {
      choiceOf('lane', def.lane, LANES);
      choiceOf('accessModel', def.accessModel, ACCESS_MODELS);
      return { action: choiceOf('action', def.action, ACTIONS), deploy: isOn('deploy', def.deploy) };
    });
    if (!chosen) return;
    const add = sendThrough(RED, this, saved, {
      did: 'did',
      mayHave: 'done',
      async deliver(box, msg, _closing, send) {
        const action = chosen.action === 'message' ? actionIn(msg.action) : chosen.action;
        const topic = textOr(def.topic, msg.topic);
        if (topic === undefined && action !== 'list') throw new Error('no topic: fill in the node\'s topic or set msg.topic');
        const payload = await act(box, action, topic ?? '#', () => settingsOf(def, msg));
        send({ ...(topic === undefined ? msg : under(topic, msg)), payload });
      },
    });
    if (chosen.deploy && add) add({});
  }
  RED.nodes.registerType('lanpost topic', LanpostTopic);
}

function actionIn(action: unknown): Action {
  const named = ACTIONS.find((one) => one === action);
  if (named === undefined || named === 'message') throw new Error('msg.action is one of set, create, configure, get, list, delete');
  return named;
}

async function act(box: Box, action: Action, topic: string, settings: () => TopicSettings): Promise<unknown> {
  switch (action) {
    case 'create': return plain(await box.topics.create(topic, settings()));
    case 'configure': return plain(await box.topics.configure(topic, settings()));
    case 'set': return plain(await set(box, topic, settings()));
    case 'list': return (await box.topics.list(topic)).map(plain);
    case 'delete':
      await box.topics.delete(topic);
      return null;
    default: {
      const info = await box.topics.get(topic);
      return info === undefined ? null : plain(info);
    }
  }
}

/** Whoever makes it in between has made it. */
async function set(box: Box, topic: string, settings: TopicSettings): Promise<TopicInfo> {
  if (await box.topics.get(topic)) return box.topics.configure(topic, settings);
  try {
    return await box.topics.create(topic, settings);
  } catch (error) {
    if (codeOf(error) !== 'conflict') throw error;
    return box.topics.configure(topic, settings);
  }
}

/** The node's own fields, then its JSON, then `msg.settings`: each goes before the one before. */
function settingsOf({ lane, key, maxItems, accessModel, settings }: TopicDef, msg: NodeMessage): TopicSettings {
  const fields = {
    ...(lane ? { lane } : {}), ...(key ? { key } : {}), ...(maxItems === '' ? {} : { maxItems: Number(maxItems) }), ...(accessModel ? { accessModel } : {}),
  };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what is in it the box judges, and keeps: the flow's own may change
  return structuredClone({ ...fields, ...objectOf('the settings of the node', settings ? jsonOf(settings) : {}), ...objectOf('msg.settings', msg.settings ?? {}) }) as TopicSettings;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`the settings of the node are not JSON: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

function objectOf(what: string, value: unknown): object {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new TypeError(`${what} must be an object`);
  return value;
}

/** A copy that the flow may change: what a box says of a topic is what it goes by. */
function plain(info: TopicInfo): object {
  return structuredClone(info);
}
