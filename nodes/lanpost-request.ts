import { setTimeout as sleep } from 'node:timers/promises';
import type { Node, NodeAPI, NodeMessage } from 'node-red';
import type { Box, Value } from '../src/index.ts';
import type { BoxUserDef } from './shared/box-node.ts';
import { filledIn } from './shared/filled-in.ts';
import { codeOf, inWords } from './shared/in-words.ts';
import { inFlow } from './shared/payload-form.ts';
import { choiceOf } from './shared/saved-field.ts';
import { secondsOf } from './shared/seconds.ts';
import { sendThrough } from './shared/sender.ts';
import { textOr } from './shared/text-or.ts';
import { unlessRefused } from './shared/unless-refused.ts';

/** A command, or an IQ of that type. */
const KINDS = ['command', 'get', 'set'] as const;
type Kind = (typeof KINDS)[number];

interface RequestDef extends BoxUserDef {
  /** Empty: `msg.to`; of a command without either, this box itself. */
  readonly to: string;
  readonly kind?: string;
  /** Name of the command; empty: `msg.command`. */
  readonly command: string;
  /** Seconds to wait for the answer; empty: `msg.timeout` (ms), or 30. */
  readonly timeout?: string;
}

/** What is under way when the flow is stopped may still be answered for so long. */
const LAST_WAIT_MS = 3000;

export default function register(RED: NodeAPI): void {
  function LanpostRequest(this: Node, saved: RequestDef): void {
    RED.nodes.createNode(this, saved);
    const def = filledIn(RED, this, saved);
    const kind = unlessRefused(this, () => choiceOf('kind', def.kind, KINDS));
    if (!kind) return;
    sendThrough(RED, this, def, {
      did: 'answered',
      mayHave: 'done',
      async deliver(box, msg, closing, send) {
        const to = textOr(def.to, msg.to) ?? own(box, kind);
        const timeout = secondsOf(def.timeout) ?? (typeof msg.timeout === 'number' ? msg.timeout : undefined);
        const over = lateAfter(closing);
        try {
          msg.payload = await ask(box, { kind, def, to }, msg, { ...(timeout === undefined ? {} : { timeout }), signal: over.signal });
        } catch (error) {
          throw told(error);
        } finally {
          over.end();
        }
        msg.from = to;
        send(msg);
      },
    });
  }
  RED.nodes.registerType('lanpost request', LanpostRequest);
}

/** Commands of this box itself need no address. */
function own(box: Box, kind: Kind): string {
  if (kind !== 'command') throw new Error('no address: fill in the node\'s address or set msg.to');
  return `link:${box.name}`;
}

async function ask(box: Box, { kind, def, to }: { readonly kind: Kind; readonly def: RequestDef; readonly to: string }, msg: NodeMessage, options: { readonly timeout?: number; readonly signal: AbortSignal }): Promise<unknown> {
  if (kind !== 'command') {
    if (typeof msg.payload !== 'string') throw new Error('msg.payload is the request: one XML element with an xmlns, as text');
    return await box.request(to, msg.payload, { ...options, type: kind }) ?? null;
  }
  const name = textOr(def.command, msg.command);
  if (name === undefined) throw new Error('no command: fill in the node\'s command or set msg.command');
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- checked by the box, with words
  const answer = await box.commands.run(to, name, msg.payload as Value | undefined, options);
  return answer === undefined ? null : inFlow(answer);
}

/** `busy` is what the other side says here: the flow decides whether and when it is asked again. */
function told(error: unknown): unknown {
  return codeOf(error) === 'busy' ? Object.assign(new Error(inWords(error), { cause: error }), { code: 'busy' }) : error;
}

/** Aborted some time after the flow has begun to stop; until then what is under way may end. */
function lateAfter(closing: AbortSignal): { readonly signal: AbortSignal; end(): void } {
  const late = new AbortController();
  const ended = new AbortController();
  const begin = (): void => {
    sleep(LAST_WAIT_MS, undefined, { signal: ended.signal, ref: false }).then(
      () => late.abort(new Error('the flow was stopped or deployed again before the answer came: it may have been done')),
      () => undefined, // it came
    );
  };
  if (closing.aborted) begin();
  else closing.addEventListener('abort', begin, { once: true });
  return {
    signal: late.signal,
    end() {
      closing.removeEventListener('abort', begin);
      ended.abort();
    },
  };
}
