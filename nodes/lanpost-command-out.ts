import type { Node, NodeAPI, NodeDef, NodeMessage } from 'node-red';
import type { ErrorCode, Value } from '../src/index.ts';
import { filledIn } from './shared/filled-in.ts';
import { NodeStatus } from './shared/node-status.ts';
import { outcomeOf, type Done } from './shared/outcome.ts';
import { callOrigin, isCommandNode, type CallOrigin, type PendingCalls } from './shared/pending-calls.ts';
import { choiceOf } from './shared/saved-field.ts';
import { unlessRefused } from './shared/unless-refused.ts';

/** `answer`: `msg.payload`. `error`: its words. Empty: an error when the message has one, as from a Catch node. */
const OUTCOMES = ['', 'answer', 'error'] as const;
type Outcome = (typeof OUTCOMES)[number];

interface CommandOutDef extends NodeDef {
  readonly outcome?: string;
  /** Code of an error; empty: `msg.code`, or `failed`. */
  readonly code?: string;
}

export default function register(RED: NodeAPI): void {
  function LanpostCommandOut(this: Node, saved: CommandOutDef): void {
    RED.nodes.createNode(this, saved);
    const def = filledIn(RED, this, saved);
    const outcome = unlessRefused(this, () => choiceOf('outcome', def.outcome, OUTCOMES));
    if (outcome === undefined) return;
    const status = new NodeStatus(this);
    const counts = { answered: 0, failed: 0 };

    const answer = async (msg: NodeMessage): Promise<void> => {
      const origin = callOrigin(msg.lanpost);
      if (!origin) throw new Error('msg.lanpost is missing: this message is not from lanpost command in, or what it said of that was taken away');
      const words = failureOf(outcome, msg);
      if (words === undefined) {
        settle(RED, origin, ({ resolve }) => resolve(valueOf(msg.payload)));
        counts.answered++;
        return;
      }
      // Loaded when first used, as all of the library.
      const { ERROR_CODES, LanpostError } = await import('../src/index.ts');
      const given = def.code || (typeof msg.code === 'string' ? msg.code : 'failed');
      const isCode = (code: string): code is ErrorCode => Object.hasOwn(ERROR_CODES, code);
      if (!isCode(given)) throw new Error(`"${given}" is no code of an error: docs/ERRORS.md has them`);
      settle(RED, origin, ({ reject }) => reject(new LanpostError(given, words)));
      counts.failed++;
    };
    const handle = async (msg: NodeMessage, done: Done): Promise<void> => {
      try {
        await answer(msg);
      } catch (error) {
        status.bad(error instanceof Error ? error.message : String(error));
        done(error instanceof Error ? error : new Error(String(error)));
        return;
      }
      status.good(`answered ${counts.answered}${counts.failed === 0 ? '' : `, failed ${counts.failed}`}`);
      done();
    };
    this.on('input', (msg, _send, done) => void handle(msg, outcomeOf(this, msg, done)));
    this.on('close', () => status.close());
  }
  RED.nodes.registerType('lanpost command out', LanpostCommandOut);
}

function settle(RED: NodeAPI, { node: id, call, command }: CallOrigin, how: Parameters<PendingCalls['answer']>[1]): void {
  const node: Node | null | undefined = RED.nodes.getNode(id);
  if (!node || !isCommandNode(node) || !node.calls.answer(call, how)) throw new Error(`nobody waits for an answer of ${command} any more: its time was over, it was answered, or the flow was deployed again`);
}

/** What is told of a failure; undefined: it is none. */
function failureOf(outcome: Outcome, msg: NodeMessage): string | undefined {
  if (outcome === 'answer') return undefined;
  const { error } = msg;
  const caught = typeof error === 'object' && error !== null && 'message' in error && typeof error.message === 'string' ? error.message : undefined;
  if (outcome !== 'error') return caught;
  return caught ?? (typeof msg.payload === 'string' && msg.payload !== '' ? msg.payload : 'the command failed');
}

/** What no value is, the box refuses, and tells whoever waits. */
function valueOf(payload: unknown): Value | undefined {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- checked by the box, with words
  return payload as Value | undefined;
}
